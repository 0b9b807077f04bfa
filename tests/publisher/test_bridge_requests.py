"""When a bridge is asked for: at once after a loss, then less and less often."""

from __future__ import annotations

import math

from faustwire_publisher.bridge_requests import BridgeRequests


def test_pauses_grow_to_their_longest_and_start_over_after_a_loss() -> None:
    asked: list[float] = []
    requests = BridgeRequests(lambda: f"attempt {len(asked)}")
    pauses = []
    for _ in range(8):
        asked.append(requests.due)
        assert requests.make(0.0) == f"attempt {len(asked)}"
        pauses.append(requests.due)
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1, "a bridge that is just ending is waited for"
    assert pauses[-1] == pauses[-2] == 5.0
    requests.start_over()
    assert requests.due == 0.0
    requests.make(100.0)
    assert requests.due - 100.0 < 0.1


def test_where_no_bridge_is_started_none_is_ever_due() -> None:
    requests = BridgeRequests(None)
    assert not requests.are_made
    assert requests.due == math.inf
    requests.start_over()
    assert requests.due == math.inf
