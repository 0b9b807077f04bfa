"""Whatever goes wrong inside ends one publication with a verdict, and the next one begins."""

from __future__ import annotations

import pytest

from core_by_hand import Bridge, arrived
from faustwire.messages import Reason, Snapshot, Verdict
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.compile_report import Report
from graphs import fdn, gain


def verdicts(sends: list[instructions.Send]) -> list[tuple[bytes, int, Reason]]:
    return [
        (send.peer, send.message.seq, send.message.reason)
        for send in sends
        if isinstance(send.message, Verdict)
    ]


def test_an_outcome_that_makes_no_sense_ends_its_publication_and_not_the_next() -> None:
    """A peak below zero has no logarithm."""
    bridge = Bridge()
    anna, bert = bridge.worker("anna"), bridge.worker("bert")
    bridge.judges = False
    assert anna.take(Snapshot(1, 1, 48000.0, gain(0.5))) == []
    assert bert.take(Snapshot(1, 1, 48000.0, fdn(2))) == []
    bridge.compiled = events.Compiled(Report(peak=-1.0))
    told = verdicts(bridge.take(bridge.judged()))
    assert told == [(anna.peer, 1, Reason.REFUSED)]
    assert [type(error) for error in bridge.errors] == [ValueError]
    bridge.compiled = events.Compiled(Report())
    assert verdicts(bridge.take(bridge.judged())) == [(bert.peer, 1, Reason.PUBLISHED)]


def test_a_submission_that_cannot_be_considered_gets_a_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from faustwire_bridge.core import admission

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    bridge = Bridge()
    anna = bridge.worker("anna")
    monkeypatch.setattr(admission, "throttled", broken)
    sends = bridge.take(arrived(anna.peer, Snapshot(1, 1, 48000.0, gain(0.5))))
    assert verdicts(sends) == [(anna.peer, 1, Reason.REFUSED)]
    monkeypatch.undo()
    anna.seq = anna.call = 1
    assert anna.update(0.5).published


def test_an_outcome_in_the_background_that_makes_no_sense_ends_its_publication() -> None:
    bridge = Bridge()
    anna, bert = bridge.worker("anna"), bridge.worker("bert")
    bridge.compiled = None
    anna.take(Snapshot(1, 1, 48000.0, gain(0.5)))
    bert.take(Snapshot(1, 1, 48000.0, gain(0.25)))
    bridge.until(bridge.now + 1.0)
    told = verdicts(bridge.take(events.Compiled(Report())))
    assert told == [(bert.peer, 1, Reason.PUBLISHED)]
    told = verdicts(bridge.take(events.FinishedAside(events.Compiled(Report(peak=-1.0)))))
    assert told == [(anna.peer, 1, Reason.REFUSED)]
    assert [type(error) for error in bridge.errors] == [ValueError]
    bridge.compiled = events.Compiled(Report())
    # The report is known, and held against this structure only.
    sends = bridge.take(arrived(bert.peer, Snapshot(2, 2, 48000.0, fdn(2))))
    assert verdicts(sends) == [(bert.peer, 2, Reason.PUBLISHED)]
