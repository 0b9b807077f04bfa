"""A bridge that records: every step of the run so far is heard, also those of before the page."""

from __future__ import annotations

import os
from pathlib import Path

from bridges import Plugin, served
from faustwire.messages import Reason
from faustwire_bridge.listen.history import History, Told
from page_client import Message, PageClient, listening, opened
from peers import Peer, peer

RUN = "anna-1"
_STEPS = 40


def _train(worker: Peer) -> None:
    """Forty steps before anybody listens; the seventh is far too loud."""
    for step in range(1, _STEPS + 1):
        verdict = worker.update(1e6 if step == 7 else step / 100, {"loss": 1 / step})
        assert verdict.published is (step != 7)


def _snapshots(page: PageClient) -> list[int]:
    """The calls that can be heard, as the page has them now."""
    calls: list[int] = []
    for message in page.heard:
        if message["type"] == "history" and message["run"] == RUN:
            calls = calls[: message["from"]] + message["snapshots"]
    return calls


def test_steps_that_nobody_heard_are_heard_from_the_recording(
    plugin: Plugin, tmp_path: Path
) -> None:
    def has_all(_: Message) -> bool:
        return _snapshots(page) == list(range(1, _STEPS + 1))

    with (
        # Relative to the bridge's folder, which need not be the page's.
        served(
            plugin, "--no-compile-gate", "--record", os.path.relpath(tmp_path / "run")
        ) as bridge,
        peer(bridge.endpoint, "anna") as anna,
    ):
        assert anna.welcome.recording == str(tmp_path / "run")
        _train(anna)
        with listening("--endpoint", bridge.endpoint) as link, opened(link) as page:
            page.until(has_all)
            # What is recorded lies in the file within a second.
            found = page.fetch(RUN, 12, request=1)
            assert (found["call"], found["values"].tolist()) == (12, [0.12])
            assert page.fetch(RUN, 0, request=2)["call"] == 1
            refused = page.fetch(RUN, 7, request=3)
            assert (refused["type"], refused["reason"]) == ("refused", Reason.TOO_LOUD)
            marked = [m["published"] for m in page.heard if m["type"] == "history"]
            assert marked[-1] == [call for call in range(1, _STEPS + 1) if call != 7]
            losses = [m["metrics"]["loss"] for m in page.heard if m["type"] == "history"]
            assert losses[-1][0] == 1.0


def test_without_the_whole_recording_only_what_was_heard_is_offered(
    plugin: Plugin, tmp_path: Path
) -> None:
    record = ("--record", str(tmp_path / "run"), "--record-published")
    with (
        served(plugin, "--no-compile-gate", *record) as bridge,
        peer(bridge.endpoint, "anna") as anna,
    ):
        for step in range(1, 6):
            anna.update(step / 10)
        with listening("--endpoint", bridge.endpoint) as link, opened(link) as page:
            page.say(type="watch", runs=[RUN])
            page.until(lambda m: m["type"] == "history" and m["snapshots"] == [5])
            assert page.fetch(RUN, 2)["call"] == 5


def test_a_curve_takes_the_rows_of_before_it() -> None:
    earlier, later = History(), History()
    for call in range(1, 7):
        earlier.add(call, {"loss": float(call)})
    for call in range(5, 9):
        later.add(call, {"loss": float(call), "new": 1.0})
    earlier.mark_published(3)
    for call in (3, 5):
        later.mark_published(call)
    later.begin_with(earlier)
    later.add(9, {"loss": 9.0})
    later.hear_every_row(True)
    news = later.since(Told())
    assert news is not None
    assert news[1]["calls"] == news[1]["snapshots"] == list(range(1, 10))
    assert news[1]["published"] == [3, 5]
    later.mark_published(9)
    more = later.since(news[0])
    assert more is not None
    assert (more[1]["calls"], more[1]["published"]) == ([9], [9])
    assert news[1]["metrics"]["loss"] == [float(call) for call in range(1, 10)]
    assert news[1]["metrics"]["new"] == [None] * 6 + [1.0, 1.0, None]
