"""One sender's slow publications make room for others; what waits goes with whoever sent it."""

from __future__ import annotations

import time

import pytest

from core_by_hand import Bridge, Worker, arrived
from faustwire.messages import Bye, Choice, Follow, Hello, Reason, Snapshot, Verdict
from faustwire_bridge.core import events, instructions
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.core.shares import SLICE_SECONDS, Shares
from faustwire_bridge.core.sound_limits import JUMP_SECONDS
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


def test_a_slow_publication_goes_on_in_the_background_after_one_slice(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    bridge.now += 0.1
    send(quick, 1, 0.5)
    began = bridge.now - 0.1
    assert bridge.core.deadline() == pytest.approx(began + SLICE_SECONDS)
    bridge.until(began + SLICE_SECONDS)
    assert (bridge.set_aside, bridge.cancelled) == (1, 0)
    assert told(bridge.take(bridge.judged())) == [(quick.peer, 1, Reason.PUBLISHED)]
    assert told(bridge.take(bridge.judged_aside())) == [(slow.peer, 1, Reason.PUBLISHED)]
    assert [write.program for write in bridge.writes][-1].count("0.25")


def test_others_are_served_in_a_row_while_one_is_in_the_background(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    for seq in range(1, 9):
        if seq > 1:
            assert send(quick, seq, 0.5 + seq / 100) == []
        assert told(bridge.take(bridge.judged())) == [(quick.peer, seq, Reason.PUBLISHED)]
        bridge.until(bridge.now + 0.5)
    # Its own next one waits for it, and so does nothing else.
    send(slow, 2, 0.375)
    assert bridge.judging == []
    assert told(bridge.take(bridge.judged_aside())) == [(slow.peer, 1, Reason.PUBLISHED)]
    assert told(bridge.take(bridge.judged())) == [(slow.peer, 2, Reason.PUBLISHED)]


def test_what_is_done_in_the_background_waits_for_no_more_than_a_slice(bridge: Bridge) -> None:
    one, two = bridge.worker("one"), bridge.worker("two")
    send(one, 1, 0.25)
    send(two, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    began = bridge.now
    bridge.now += 0.1
    done = bridge.judged_aside()
    assert bridge.take(done) == []
    assert bridge.core.deadline() == pytest.approx(began + SLICE_SECONDS)
    assert told(bridge.until(began + SLICE_SECONDS)) == [(one.peer, 1, Reason.PUBLISHED)]
    assert bridge.set_aside == 2
    assert told(bridge.take(bridge.judged_aside())) == [(two.peer, 1, Reason.PUBLISHED)]


def test_with_something_in_the_background_already_a_slow_one_waits_again(bridge: Bridge) -> None:
    workers = [bridge.worker(name) for name in ("one", "two", "three")]
    for number, worker in enumerate(workers):
        send(worker, 1, 0.25 + number / 8)
    bridge.until(bridge.now + 2 * SLICE_SECONDS)
    assert (bridge.set_aside, bridge.cancelled) == (1, 1)
    assert told(bridge.take(bridge.judged())) == [(b"three", 1, Reason.PUBLISHED)]
    assert told(bridge.take(bridge.judged())) == [(b"two", 1, Reason.PUBLISHED)]
    assert told(bridge.take(bridge.judged_aside())) == [(b"one", 1, Reason.PUBLISHED)]


def test_three_slow_senders_are_done_in_the_end(bridge: Bridge) -> None:
    """Each takes three seconds; what has to make room for the third time begins anew."""
    workers = [bridge.worker(name) for name in ("one", "two", "three")]
    for number, worker in enumerate(workers):
        send(worker, 1, 0.25 + number / 8)
    done: list[tuple[bytes, int, Reason]] = []
    judging, aside = bridge.judging[:], bridge.aside
    begun = begun_aside = bridge.now
    for _ in range(300):
        for worker in workers:
            worker.take(worker.hello)
        done += told(bridge.until(bridge.now + 0.1))
        if bridge.aside is not aside:
            aside, begun_aside = bridge.aside, begun
        if bridge.judging != judging:
            judging, begun = bridge.judging[:], bridge.now
        if bridge.aside is not None and bridge.now - begun_aside > 3.0:
            done += told(bridge.take(bridge.judged_aside()))
        if bridge.judging and bridge.now - begun > 3.0:
            done += told(bridge.take(bridge.judged()))
    names = {(name, 1, Reason.PUBLISHED) for name in (b"one", b"two", b"three")}
    assert set(done) == names


def test_what_was_set_aside_is_held_to_what_plays_when_it_is_done(bridge: Bridge) -> None:
    """Loud beside what plays by now, though not beside what played when it was judged."""
    loud, quiet = bridge.worker("loud"), bridge.worker("quiet")
    for value in (10.0, 100.0):
        send(quiet, quiet.seq + 1, value)
        quiet.seq += 1
        assert told(bridge.take(bridge.judged())) == [(quiet.peer, quiet.seq, Reason.PUBLISHED)]
        bridge.until(bridge.now + JUMP_SECONDS)
    send(loud, 1, 500.0)
    send(quiet, 3, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    aside = bridge.judged_aside()
    assert told(bridge.take(bridge.judged())) == [(quiet.peer, 3, Reason.PUBLISHED)]
    assert told(bridge.take(aside)) == [(loud.peer, 1, Reason.TOO_LOUD)]


def test_what_played_when_it_was_set_aside_is_judged_again(bridge: Bridge) -> None:
    """It was found to be what plays; now something else does."""
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    bridge.take(bridge.judged())
    send(slow, 2, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    aside = bridge.judged_aside()
    bridge.take(bridge.judged())
    assert told(bridge.take(aside)) == []
    assert told(bridge.take(bridge.judged())) == [(slow.peer, 2, Reason.PUBLISHED)]


def test_what_sounded_like_what_plays_no_more_is_published(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    bridge.take(bridge.judged())
    send(slow, 2, 0.25 + 1e-7)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    aside = bridge.judged_aside()
    assert isinstance(aside.outcome, events.Judged)
    assert aside.outcome.change_db is not None
    assert aside.outcome.change_db < -80.0
    bridge.take(bridge.judged())
    assert told(bridge.take(aside)) == [(slow.peer, 2, Reason.PUBLISHED)]


def test_what_was_set_aside_is_throttled_like_everything_else(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow", min_interval=1.0), bridge.worker("quick")
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    bridge.take(bridge.judged())
    bridge.now += 0.5
    assert told(bridge.take(bridge.judged_aside())) == [(slow.peer, 1, Reason.MIN_INTERVAL)]


def test_what_was_set_aside_is_not_published_where_somebody_else_is_followed(
    bridge: Bridge,
) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    bridge.take(bridge.judged())
    bridge.take(arrived(b"hand", Follow(Choice("worker", "quick"))))
    assert told(bridge.take(bridge.judged_aside())) == []
    # The newest of the worker that was chosen, which plays already.
    assert told(bridge.take(bridge.judged())) == [(slow.peer, 1, Reason.NOT_FOLLOWED)]


def test_what_was_set_aside_and_sent_again_has_one_verdict(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    assert send(slow, 1, 0.25) == []
    bridge.take(bridge.judged())
    assert bridge.judging == []
    assert told(bridge.take(bridge.judged_aside())) == [(slow.peer, 1, Reason.PUBLISHED)]


def test_what_waits_and_is_sent_again_has_one_verdict(bridge: Bridge) -> None:
    """Though what it waits for is in the background, and by now it is throttled."""
    slow, quick = bridge.worker("slow", every=3), bridge.worker("quick")
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    send(slow, 2, 0.375)
    bridge.until(bridge.now + SLICE_SECONDS)
    bridge.take(bridge.judged())
    assert send(slow, 2, 0.375) == [], "its verdict is on its way"
    verdicts = told(bridge.take(bridge.judged_aside()))
    assert verdicts == [(slow.peer, 1, Reason.PUBLISHED), (slow.peer, 2, Reason.EVERY)]


def test_what_is_throttled_makes_nobody_make_room(bridge: Bridge) -> None:
    slow, other = bridge.worker("slow"), bridge.worker("other", min_interval=100.0)
    send(other, 1, 0.75)
    bridge.take(bridge.judged())
    send(slow, 1, 0.25)
    send(other, 2, 0.5)
    sends = bridge.until(bridge.now + 1.0)
    assert (bridge.cancelled, bridge.set_aside) == (0, 0)
    # And does not wait for its turn to be told so.
    assert told(sends) == [(other.peer, 2, Reason.MIN_INTERVAL)]


def test_who_is_not_followed_makes_nobody_make_room_and_is_told_after_a_slice(
    bridge: Bridge,
) -> None:
    bridge.take(arrived(b"hand", Follow(Choice("worker", "slow"))))
    slow, other = bridge.worker("slow"), bridge.worker("other")
    send(slow, 1, 0.25)
    send(other, 1, 0.5)
    sends = bridge.until(bridge.now + SLICE_SECONDS)
    assert told(sends) == [(other.peer, 1, Reason.NOT_FOLLOWED)]
    assert (bridge.cancelled, bridge.set_aside) == (0, 0)


def test_alone_it_has_all_the_time_it_wants(bridge: Bridge) -> None:
    slow = bridge.worker("slow")
    send(slow, 1)
    send(slow, 2)
    for _ in range(8):
        bridge.now += 1
        slow.take(slow.hello)
        bridge.take(events.Tick())
    assert (bridge.cancelled, bridge.set_aside) == (0, 0)


def test_who_has_used_less_is_not_made_to_wait_by_who_has_used_more(bridge: Bridge) -> None:
    """An honest model that takes two seconds, beside two whose programs take for ever."""
    hogs, honest = [bridge.worker("hog"), bridge.worker("another")], bridge.worker("honest")
    for hog in hogs:
        send(hog, 1)
        bridge.now += 4.0
        bridge.take(events.JudgeFailed("too slow"))
    send(hogs[0], 2)
    send(honest, 1, 0.125)
    send(hogs[1], 2)
    bridge.until(bridge.now + 2.0)
    assert (bridge.cancelled, bridge.set_aside) == (0, 1)
    assert told(bridge.take(bridge.judged())) == [(honest.peer, 1, Reason.PUBLISHED)]


def test_a_users_share_is_one_over_all_its_connections(bridge: Bridge) -> None:
    anna = events.User("anna", frozenset({"publish"}))
    bert = events.User("bert", frozenset({"publish"}))
    for number, user in enumerate([anna, anna, anna, bert]):
        peer = b"%d" % number
        bridge.take(arrived(peer, Hello(f"w{number}", f"{number}", min_interval=0.0), user))
        bridge.take(arrived(peer, Snapshot(1, 1, 48000.0, gain(0.5 + number / 8)), user))
    bridge.until(bridge.now + 1.0)
    assert bridge.set_aside == 1
    sends = bridge.take(bridge.judged())
    assert told(sends) == [(b"3", 1, Reason.PUBLISHED)], "the second of anna's waits for bert"
    assert bridge.judging == [], "and for her first"
    bridge.take(bridge.judged_aside())
    assert len(bridge.judging) == 1


def test_something_newer_of_the_same_worker_takes_its_place(bridge: Bridge) -> None:
    first, slow, quick = (bridge.worker(name) for name in ("first", "slow", "quick"))
    send(first, 1, 0.75)
    send(slow, 1, 0.25)
    bridge.until(bridge.now + SLICE_SECONDS)
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


def test_a_revoked_key_takes_along_what_is_in_the_background(bridge: Bridge) -> None:
    user, other = events.User("anna", frozenset({"publish"})), bridge.worker("other")
    bridge.take(arrived(b"1", Hello("w", "1", min_interval=0.0), user))
    bridge.take(arrived(b"1", Snapshot(1, 1, 48000.0, gain(0.5)), user))
    send(other, 1, 0.75)
    bridge.until(bridge.now + SLICE_SECONDS)
    bridge.take(events.Revoked("anna"))
    assert (bridge.set_aside, bridge.aside, bridge.cancelled) == (1, None, 0)
    assert told(bridge.take(bridge.judged())) == [(other.peer, 1, Reason.PUBLISHED)]
    send(other, 2, 0.25)
    bridge.until(bridge.now + 1.0)
    assert told(bridge.take(bridge.judged())) == [(other.peer, 2, Reason.PUBLISHED)]


def test_a_bridge_that_leaves_when_idle_finishes_what_is_in_the_background() -> None:
    bridge = Bridge(Rules(leave_when_idle=True))
    bridge.judges = False
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + SLICE_SECONDS)
    slow.take(Bye())
    bridge.take(bridge.judged())
    quick.take(Bye())
    bridge.until(bridge.now + 100.0)
    assert not bridge.stopped
    bridge.take(bridge.judged_aside())
    assert "0.25" in bridge.writes[-1].program
    bridge.until(bridge.now + 100.0)
    assert bridge.stopped


def test_a_compile_is_set_aside_as_well(bridge: Bridge) -> None:
    slow, quick = bridge.worker("slow"), bridge.worker("quick")
    bridge.judges, bridge.compiled = True, None
    send(slow, 1, 0.25)
    send(quick, 1, 0.5)
    bridge.until(bridge.now + 1.0)
    assert bridge.set_aside == 1
    sends = bridge.take(events.Compiled(Report()))
    assert told(sends) == [(quick.peer, 1, Reason.PUBLISHED)]
    failed = events.FinishedAside(events.CompileFailed("libfaust was not done"))
    assert told(bridge.take(failed)) == [(slow.peer, 1, Reason.DOES_NOT_COMPILE)]


def test_an_outcome_of_what_was_given_up_in_the_background_is_ignored(bridge: Bridge) -> None:
    assert bridge.take(events.FinishedAside(events.JudgeFailed("late"))) == []
    assert bridge.errors == []


@pytest.mark.parametrize("follow", [Choice("best", name="loss"), Choice("first")])
def test_a_thousand_that_wait_and_are_not_followed_keep_nobody_waiting(follow: Choice) -> None:
    """All workers were looked through for each of them, which took a second."""
    bridge = Bridge(Rules(follow=follow))
    bridge.judges = False
    workers = [bridge.worker(f"w{number}") for number in range(1000)]

    def messages(seq: int) -> list[events.Arrived]:
        best, graph = {"loss": 2.0}, gain(0.5)
        return [
            arrived(worker.peer, Snapshot(seq, seq, 48000.0, graph, metrics=best))
            for worker in workers
        ]

    first, second = messages(1), messages(2)
    slow = arrived(b"w0", Snapshot(1, 1, 48000.0, gain(0.25), metrics={"loss": 1.0}))
    begun = time.thread_time()
    bridge.take(slow)
    for message in first[1:]:
        bridge.take(message)
    turned_down = told(bridge.until(bridge.now + 2 * SLICE_SECONDS))
    assert [reason for _, _, reason in turned_down] == [Reason.NOT_FOLLOWED] * 999
    for message in second[1:]:
        bridge.take(message)
    [(peer, *_), *others] = told(bridge.take(bridge.judged()))
    assert (peer, len(others)) == (b"w0", 999)
    assert time.thread_time() - begun < 0.5


def test_who_chooses_again_and_again_takes_turns_with_those_who_wait(bridge: Bridge) -> None:
    """What was chosen came first each time, and nobody else ever had a verdict."""
    first, second = bridge.worker("first"), bridge.worker("second")
    send(first, 1, 0.25)
    send(second, 1, 0.5)
    verdicts = []
    for number in range(4):
        choice = Choice("worker", ("first", "second")[number % 2])
        bridge.take(arrived(b"hand", Follow(choice)))
        bridge.now += 0.01
        verdicts += told(bridge.take(bridge.judged()))
    assert verdicts == [
        (b"first", 1, Reason.PUBLISHED),
        (b"second", 1, Reason.PUBLISHED),
    ]


def test_what_is_being_written_is_not_set_aside(bridge: Bridge) -> None:
    """A slow disk, and its outcome that is told when others have been heard."""
    writer, other = bridge.worker("writer"), bridge.worker("other")
    send(writer, 1, 0.25)
    [step] = [
        one
        for one in bridge.core.handle(bridge.judged(), bridge.now)
        if isinstance(one, (instructions.Compile, instructions.Write))
    ]
    if isinstance(step, instructions.Compile):
        compiled = bridge.core.handle(events.Compiled(Report()), bridge.now)
        assert any(isinstance(one, instructions.Write) for one in compiled)
    assert send(other, 1, 0.5) == []
    bridge.now += 2 * SLICE_SECONDS
    assert told(bridge.take(events.Tick())) == []
    assert (bridge.set_aside, bridge.cancelled) == (0, 0)
    assert told(bridge.take(events.Written())) == [(writer.peer, 1, Reason.PUBLISHED)]
    assert told(bridge.take(bridge.judged())) == [(other.peer, 1, Reason.PUBLISHED)]
