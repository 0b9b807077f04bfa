"""The slot of one and the credit of one."""

from __future__ import annotations

import pytest

from faustwire import codec
from faustwire.messages import Hello, Reason, Snapshot, Verdict
from faustwire_publisher.connection_thread import ConnectionThread
from faustwire_publisher.mailbox import Mailbox, Ticket
from graphs import gain


def put(mailbox: Mailbox, seq: int, *, force: bool = False) -> Ticket:
    ticket = Ticket(seq, lambda: Snapshot(seq, seq, 48000.0, gain(seq)), force)
    mailbox.put(ticket)
    return ticket


def verdict(seq: int) -> Verdict:
    return Verdict(seq, True, Reason.PUBLISHED)


def test_one_is_on_its_way_and_the_newest_waits() -> None:
    mailbox = Mailbox()
    first = put(mailbox, 1)
    assert mailbox.take() is first
    second = put(mailbox, 2)
    assert mailbox.take() is None, "no credit"
    third = put(mailbox, 3)
    assert second.verdict is not None
    assert second.verdict.reason is Reason.SUPERSEDED
    mailbox.settle(verdict(1))
    assert first.verdict == verdict(1)
    assert mailbox.answered is first
    assert mailbox.take() is third


def test_a_forced_call_stays_forced_whichever_snapshot_goes() -> None:
    mailbox = Mailbox()
    put(mailbox, 1, force=True)
    message = codec.decode(put(mailbox, 2).data())
    assert isinstance(message, Snapshot)
    assert message.force


def test_a_message_that_is_superseded_is_never_made() -> None:
    mailbox = Mailbox()
    mailbox.put(Ticket(1, lambda: pytest.fail("it need not have been")))
    put(mailbox, 2)
    ticket = mailbox.take()
    assert ticket is not None
    assert ticket.data() is ticket.data(), "and the one that goes is made once"


def test_what_was_lost_is_sent_again_unless_something_newer_waits() -> None:
    mailbox = Mailbox()
    first = put(mailbox, 1)
    mailbox.take()
    assert mailbox.lost() is first
    second = put(mailbox, 2)
    assert mailbox.lost() is second
    assert first.verdict is not None
    assert first.verdict.reason is Reason.SUPERSEDED


def test_a_late_verdict_is_ignored() -> None:
    mailbox = Mailbox()
    mailbox.settle(verdict(1))
    ticket = put(mailbox, 2)
    mailbox.take()
    mailbox.settle(verdict(1))
    assert ticket.verdict is None
    assert mailbox.answered is None


def test_silence_is_counted_from_the_first_message_without_an_answer() -> None:
    mailbox = Mailbox()
    assert not mailbox.unanswered_since
    first = put(mailbox, 1)
    put(mailbox, 2)
    assert mailbox.unanswered_since == first.made
    mailbox.take()
    mailbox.settle(verdict(2))
    assert not mailbox.unanswered_since


def test_the_state_of_a_call_that_was_interrupted_is_the_older_one() -> None:
    """A signal handler's call takes the higher number and may come first."""
    mailbox = Mailbox()
    second = put(mailbox, 2)
    first = put(mailbox, 1, force=True)
    assert first.verdict is not None
    assert first.verdict.reason is Reason.SUPERSEDED
    assert mailbox.take() is second
    assert second.force
    mailbox.settle(verdict(2))
    put(mailbox, 1)
    assert mailbox.take() is None
    assert mailbox.unanswered_since is None


def test_a_put_in_the_middle_of_a_put_neither_blocks_nor_is_lost() -> None:
    """As a signal handler does it, while its own thread holds the mailbox's lock."""
    mailbox = Mailbox()
    with mailbox._lock:
        put(mailbox, 1)
        second = put(mailbox, 2)
        mailbox.pending()
    assert mailbox.pending() is second
    assert mailbox.take() is second


def test_whoever_waits_may_settle_what_it_waits_for() -> None:
    """A wait that a signal handler interrupts, which ends it from the same thread."""
    ticket = Ticket(1, None)
    assert ticket.wait(0.0) is None
    ticket.end(verdict(1))
    ticket.supersede()
    assert ticket.wait(0.0) is not None
    assert ticket.wait(1.0) is not None


def test_a_rule_that_raises_at_every_step_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Snapshot:
        raise KeyError("gain")

    thread = ConnectionThread("tcp://127.0.0.1:1", Hello("anna", "1"), Mailbox())
    try:
        for seq in range(1, 50):
            assert thread._data(Ticket(seq, broken)) is None
    finally:
        thread.close()
    assert caplog.text.count("a snapshot could not be made") == 1
