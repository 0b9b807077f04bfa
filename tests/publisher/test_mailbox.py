"""The slot of one and the credit of one."""

from __future__ import annotations

from faustwire.messages import Reason, Snapshot, Source, Verdict
from faustwire_publisher.mailbox import Mailbox
from graphs import gain


def snapshot(seq: int, *, force: bool = False) -> Snapshot:
    return Snapshot(seq, seq, 48000.0, gain(seq), force=force)


def verdict(seq: int) -> Verdict:
    return Verdict(seq, True, Reason.PUBLISHED)


def test_one_is_on_its_way_and_the_newest_waits() -> None:
    mailbox = Mailbox()
    first = mailbox.put(snapshot(1))
    assert mailbox.take() is first
    second = mailbox.put(snapshot(2))
    assert mailbox.take() is None, "no credit"
    third = mailbox.put(snapshot(3))
    assert second.verdict is not None
    assert second.verdict.reason is Reason.SUPERSEDED
    mailbox.settle(verdict(1))
    assert first.verdict == verdict(1)
    assert mailbox.answered is first
    assert mailbox.take() is third


def test_a_forced_call_stays_forced_whichever_snapshot_goes() -> None:
    mailbox = Mailbox()
    mailbox.put(snapshot(1, force=True))
    message = mailbox.put(snapshot(2)).message
    assert isinstance(message, Snapshot)
    assert message.force
    mailbox.put(Source(3, "process = _;"))
    message = mailbox.put(snapshot(4)).message
    assert isinstance(message, Snapshot)
    assert not message.force


def test_what_was_lost_is_sent_again_unless_something_newer_waits() -> None:
    mailbox = Mailbox()
    first = mailbox.put(snapshot(1))
    mailbox.take()
    assert mailbox.lost() is first
    second = mailbox.put(snapshot(2))
    assert mailbox.lost() is second
    assert first.verdict is not None
    assert first.verdict.reason is Reason.SUPERSEDED


def test_a_late_verdict_is_ignored() -> None:
    mailbox = Mailbox()
    mailbox.settle(verdict(1))
    ticket = mailbox.put(snapshot(2))
    mailbox.take()
    mailbox.settle(verdict(1))
    assert ticket.verdict is None
    assert mailbox.answered is None


def test_silence_is_counted_from_the_first_message_without_an_answer() -> None:
    mailbox = Mailbox()
    assert mailbox.unanswered_since is None
    first = mailbox.put(snapshot(1))
    mailbox.put(snapshot(2))
    assert mailbox.unanswered_since == first.made
    mailbox.take()
    mailbox.settle(verdict(2))
    assert mailbox.unanswered_since is None
