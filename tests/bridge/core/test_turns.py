"""One sender's slow publications make room for others; what waits goes with whoever sent it."""

from __future__ import annotations

import pytest

from core_by_hand import Bridge, Worker, arrived
from faustwire.messages import Bye, Hello, Reason, Snapshot, Verdict
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.shares import SLICE_SECONDS, Shares
from graphs import fdn, gain


def told(sends: list[instructions.Send]) -> list[tuple[bytes, int, Reason]]:
    return [
        (send.peer, send.message.seq, send.message.reason)
        for send in sends
        if isinstance(send.message, Verdict)
    ]


def send(worker: Worker, seq: int, value: float = 0.5) -> list[instructions.Send]:
    return worker.take(Snapshot(seq, seq, 48000.0, gain(value)))


@pytest.fixture
def bridge() -> Bridge:
    """One whose judge takes its time."""
    made = Bridge()
    made.judges = False
    return made


def test_a_slow_publication_makes_room_after_one_slice_and_comes_again(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    bridge.now += 0.1
    send(quick, 1, 0.5)
    began = bridge.now - 0.1
    assert bridge.core.deadline() == pytest.approx(began + SLICE_SECONDS)
    bridge.until(began + SLICE_SECONDS)
    assert bridge.cancelled == 1
    assert told(bridge.take(bridge.judged())) == [(quick.peer, 1, Reason.PUBLISHED)]
    assert told(bridge.take(bridge.judged())) == [(slow.peer, 1, Reason.PUBLISHED)]


def test_of_two_slow_senders_each_is_done_in_the_end(bridge: Bridge) -> None:
    """Both take three seconds, and what makes room begins anew."""
    workers = [bridge.worker("one"), bridge.worker("two")]
    for worker in workers:
        send(worker, 1, 0.25 if worker is workers[0] else 0.5)
    done: list[tuple[bytes, int, Reason]] = []
    for _ in range(10):
        cancelled, ends = bridge.cancelled, bridge.now + 3.0
        while bridge.now < ends and bridge.cancelled == cancelled:
            for worker in workers:
                worker.take(worker.hello)
            bridge.until(bridge.now + 0.1)
        if bridge.cancelled == cancelled and bridge.judging:
            done += told(bridge.take(bridge.judged()))
    assert sorted(done) == [(b"one", 1, Reason.PUBLISHED), (b"two", 1, Reason.PUBLISHED)]
    assert bridge.cancelled >= 2


def test_what_is_throttled_makes_nobody_make_room(bridge: Bridge) -> None:
    slow, other = bridge.worker("slow"), bridge.worker("other", min_interval=100.0)
    send(other, 1, 0.75)
    bridge.take(bridge.judged())
    send(slow, 1, 0.25)
    send(other, 2, 0.5)
    bridge.until(bridge.now + 1.0)
    assert bridge.cancelled == 0


def test_alone_it_has_all_the_time_it_wants(bridge: Bridge) -> None:
    slow = bridge.worker("slow")
    send(slow, 1)
    send(slow, 2)
    for _ in range(8):
        bridge.now += 1
        slow.take(slow.hello)
        bridge.take(events.Tick())
    assert bridge.cancelled == 0


def test_who_has_used_less_is_not_made_to_wait_by_who_has_used_more(bridge: Bridge) -> None:
    """An honest model that takes two seconds, and somebody whose programs take for ever."""
    hog, honest = bridge.worker("hog"), bridge.worker("honest")
    send(hog, 1)
    bridge.now += 4.0
    bridge.take(events.JudgeFailed("too slow"))
    send(honest, 1, 0.125)
    send(hog, 2)
    bridge.until(bridge.now + 2.0)
    assert bridge.cancelled == 0
    assert told(bridge.take(bridge.judged())) == [(honest.peer, 1, Reason.PUBLISHED)]


def test_a_users_share_is_one_over_all_its_connections(bridge: Bridge) -> None:
    anna = events.User("anna", frozenset({"publish"}))
    bert = events.User("bert", frozenset({"publish"}))
    for number, user in enumerate([anna, anna, anna, bert]):
        peer = b"%d" % number
        bridge.take(arrived(peer, Hello(f"w{number}", f"{number}", min_interval=0.0), user))
        bridge.take(arrived(peer, Snapshot(1, 1, 48000.0, gain(0.5 + number / 8)), user))
    bridge.until(bridge.now + 1.0)
    assert bridge.cancelled == 1
    sends = bridge.take(bridge.judged())
    assert told(sends) == [(b"3", 1, Reason.PUBLISHED)], "the third of anna's waits for bert"


def test_something_newer_of_the_same_worker_takes_its_place(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    send(slow, 2, 0.375)
    send(quick, 1, 0.5)
    assert told(bridge.until(bridge.now + 1.0)) == [(slow.peer, 1, Reason.SUPERSEDED)]
    assert told(bridge.take(bridge.judged())) == [(quick.peer, 1, Reason.PUBLISHED)]
    assert told(bridge.take(bridge.judged())) == [(slow.peer, 2, Reason.PUBLISHED)]


@pytest.mark.parametrize("leaves", ["bye", "lost", "another name"])
def test_what_waits_goes_with_its_sender(bridge: Bridge, leaves: str) -> None:
    anna, hog = bridge.worker("anna"), bridge.worker("hog")
    send(anna, 1)
    send(hog, 1, 0.25)
    match leaves:
        case "bye":
            hog.take(Bye())
        case "lost":
            bridge.take(events.Lost(hog.peer))
        case _:
            hog.take(Hello("hog", "another"))
    assert told(bridge.take(bridge.judged())) == [(anna.peer, 1, Reason.PUBLISHED)]
    assert bridge.judging == []


def test_one_connection_under_a_thousand_names_has_one_slot(bridge: Bridge) -> None:
    anna, hog = bridge.worker("anna"), bridge.worker("hog")
    send(anna, 1)
    for number in range(1000):
        hog.take(Hello("hog", f"hog {number}", min_interval=0.0))
        send(hog, 1, 0.25)
    send(anna, 2, 0.75)
    bridge.take(bridge.judged())
    bridge.take(bridge.judged())
    assert told(bridge.take(bridge.judged()))
    assert bridge.judging == [], "anna's second, and the last one of the thousand"


def test_a_revoked_key_takes_along_what_waits_settles_and_is_being_published(
    bridge: Bridge,
) -> None:
    user = events.User("anna", frozenset({"publish"}))
    other = bridge.worker("other")
    for peer in (b"1", b"2"):
        hello = Hello("w", peer.decode(), min_interval=0.0)
        bridge.take(arrived(peer, hello, user))
        bridge.take(arrived(peer, Snapshot(1, 1, 48000.0, fdn(2)), user))
    send(other, 1, 0.75)
    bridge.take(events.Revoked("anna"))
    assert bridge.cancelled == 1
    assert told(bridge.take(bridge.judged())) == [(other.peer, 1, Reason.PUBLISHED)]
    assert bridge.judging == []
    assert [session.name for session in bridge.core.sessions.connected()] == ["other"]


def test_somebody_elses_key_takes_nothing_along(bridge: Bridge) -> None:
    """The control."""
    user = events.User("anna", frozenset({"publish"}))
    bridge.take(arrived(b"1", Hello("w", "1", min_interval=0.0), user))
    bridge.take(arrived(b"1", Snapshot(1, 1, 48000.0, gain(0.5)), user))
    bridge.take(events.Revoked("bert"))
    assert bridge.cancelled == 0
    assert told(bridge.take(bridge.judged())) == [(b"1", 1, Reason.PUBLISHED)]


def test_used_time_is_forgiven_and_bounded() -> None:
    shares = Shares()
    shares.add("a", 0.4, 0.0)
    assert shares.used("a", 0.0) == 0.0, "one slice is nobody's business"
    shares.add("a", 1000.0, 0.0)
    assert shares.used("a", 0.0) == 30.0
    assert shares.used("a", 60.0) == 15.0
    assert shares.used("a", 1000.0) == 0.0
    for number in range(5000):
        shares.add(number, 10.0, 0.0)
    assert shares.used("a", 0.0) == 0.0, "forgotten: others came since"


def test_a_cached_report_still_publishes_after_a_cancel(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    bridge.judges, bridge.compiled = True, None
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + 1.0)
    assert bridge.cancelled == 1
    sends = bridge.take(events.Compiled(Report()))
    assert (quick.peer, 1, Reason.PUBLISHED) in told(sends)
