"""What any child process of the bridge has to get right, with the smallest that there are."""

from __future__ import annotations

import select
import sys
from contextlib import closing

import pytest

from bridges import DEADLINE
from faustwire_bridge.children.child_process import ChildProcess, Ended


def test_the_last_words_of_a_child_are_its_own() -> None:
    """Its predecessors' leave nothing in front of them, not even null bytes."""
    words = iter(["long " * 1000, "no room"])
    made = ChildProcess(
        lambda *_: [sys.executable, "-c", f"import sys; sys.exit({next(words)!r})"],
        timeout=DEADLINE,
    )
    with closing(made) as child:
        assert "long" in _ending(child).said
        assert _ending(child).how() == "exited with code 1 (no room)"


def test_a_child_that_cannot_be_started_is_not_waited_for() -> None:
    """Its socket was always readable, and the bridge never slept."""
    made = ChildProcess(lambda *_: ["/nowhere/python"], timeout=DEADLINE)
    with closing(made) as child:
        with pytest.raises(FileNotFoundError):
            child.ask({}, b"")
        assert child.fileno() is None
        assert child.receive() is None


def _ending(child: ChildProcess) -> Ended:
    child.ask({}, b"")
    descriptor = child.fileno()
    assert descriptor is not None
    assert select.select([descriptor], [], [], DEADLINE)[0], "it ends"
    ended = child.receive()
    assert isinstance(ended, Ended)
    return ended
