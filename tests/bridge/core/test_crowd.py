"""One key that takes all places for workers, or all memory, is the one that loses them again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core_by_hand import Bridge, arrived
from faustwire.messages import Hello, OwnProgram, Reason, Rejection, Snapshot, Verdict, Welcome
from faustwire_bridge.core import events, membership, sessions, waiting
from faustwire_bridge.core.events import User
from graphs import gain

RIGHTS = frozenset({"publish"})
EVE, ANNA = User("eve", RIGHTS), User("anna", RIGHTS)
EVE_TOO = User("eve", RIGHTS | {"text"})
PLACES = 8


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """One whose places are all Eve's."""
    monkeypatch.setattr(membership, "MAX_WORKERS", PLACES)
    made = Bridge()
    for number in range(PLACES):
        assert isinstance(join(made, f"eve{number}", EVE), Welcome)
    return made


def join(bridge: Bridge, name: str, user: User | None, peer: str = "") -> object:
    hello = Hello(name, f"{name}-1", min_interval=0.0)
    [answer] = bridge.take(arrived((peer or name).encode(), hello, user))
    return answer.message


def names(bridge: Bridge) -> list[str]:
    return sorted(session.name for session in bridge.core.sessions.connected())


@pytest.mark.parametrize("user", [ANNA, None])
def test_the_newest_worker_of_the_key_that_has_most_makes_room(
    bridge: Bridge, user: User | None
) -> None:
    assert isinstance(join(bridge, "anna", user), Welcome)
    assert len(names(bridge)) == PLACES
    assert "eve/eve7" not in names(bridge)
    assert bridge.events[-1].kind == "left"
    assert bridge.events[-1].detail == "others need its place"
    # Whoever had to leave is told to say Hello, and finds no place.
    [answer] = bridge.take(arrived(b"eve7", Snapshot(1, 1, 48000.0, gain(0.5)), EVE))
    assert isinstance(answer.message, Rejection)
    assert isinstance(join(bridge, "eve7", EVE), Rejection)


def test_two_keys_share_the_places_evenly(bridge: Bridge) -> None:
    answers = [join(bridge, f"anna{number}", ANNA) for number in range(PLACES)]
    assert [isinstance(answer, Welcome) for answer in answers] == [True] * 4 + [False] * 4
    assert [name.partition("/")[0] for name in names(bridge)] == ["anna"] * 4 + ["eve"] * 4


def test_what_waits_of_who_has_to_leave_goes_with_it(bridge: Bridge) -> None:
    bridge.judges = False
    for name in (b"eve0", b"eve7"):
        bridge.take(arrived(name, Snapshot(1, 1, 48000.0, gain(0.5)), EVE))
    assert isinstance(join(bridge, "anna", ANNA), Welcome)
    [send] = bridge.take(bridge.judged())
    assert isinstance(send.message, Verdict)
    assert (send.peer, bridge.judging) == (b"eve0", [])


def test_who_comes_back_over_another_connection_has_its_place(bridge: Bridge) -> None:
    """It was told that there is none, for its old connection had it."""
    assert isinstance(join(bridge, "eve3", EVE, "elsewhere"), Welcome)
    assert len(names(bridge)) == PLACES


def test_without_keys_nobody_is_known_to_have_more_places_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(membership, "MAX_WORKERS", 2)
    made = Bridge()
    answers = [join(made, f"w{number}", None) for number in range(3)]
    assert [isinstance(answer, Welcome) for answer in answers] == [True, True, False]


@pytest.mark.parametrize("is_silent", [False, True])
def test_a_lost_connections_routing_id_is_no_key_to_its_session(*, is_silent: bool) -> None:
    """Whoever had chosen it stood under its own name, and kept out whose session it was."""
    made = Bridge()
    assert isinstance(join(made, "anna", ANNA), Welcome)
    if is_silent:
        made.until(made.now + 6.0)
    snapshot = Snapshot(1, 1, 48000.0, gain(0.5))
    [answer] = made.take(arrived(b"anna", snapshot, EVE))
    assert isinstance(answer.message, Rejection)
    assert isinstance(join(made, "anna", ANNA, "elsewhere"), Welcome)
    assert names(made) == ["anna/anna"]
    # The control: whoever it is may go on.
    verdicts = made.take(arrived(b"elsewhere", snapshot, ANNA))
    assert [type(verdict.message) for verdict in verdicts] == [Verdict]


def sent(bridge: Bridge, name: str, user: User | None, seq: int, size: int) -> list[Verdict]:
    """The verdicts that a worker gets when it has sent a snapshot."""
    snapshot = Snapshot(seq, seq, 48000.0, gain(0.5), name="n" * 200)
    sends = bridge.take(replace(arrived(name.encode(), snapshot, user), size=size))
    told = [send.message for send in sends if send.peer == name.encode()]
    assert all(isinstance(message, Verdict) for message in told)
    return told  # type: ignore[return-value]


@pytest.mark.parametrize("user", [EVE, None])
def test_who_fills_the_waiting_room_leaves_room_for_others(
    monkeypatch: pytest.MonkeyPatch, user: User | None
) -> None:
    """What came last had to go: a worker's small snapshot, each time that it sent one."""
    monkeypatch.setattr(waiting, "MAX_WAITING_BYTES", 1000)
    made = Bridge()
    made.judges = False
    for number in range(6):
        assert isinstance(join(made, f"eve{number}", user), Welcome)
    assert isinstance(join(made, "anna", ANNA), Welcome)
    for number in range(6):
        sent(made, f"eve{number}", user, 1, 240)
    assert sent(made, "anna", ANNA, 1, 50) == []
    for seq in range(2, 5):
        for number in range(1, 6):
            sent(made, f"eve{number}", user, seq, 240)
        [superseded] = sent(made, "anna", ANNA, seq, 50)
        assert (superseded.seq, superseded.reason) == (seq - 1, Reason.SUPERSEDED)


def test_who_fills_the_memory_for_newest_snapshots_loses_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What came first had to go: what another worker has yet to have published, for instance."""
    monkeypatch.setattr(sessions, "MAX_HELD_BYTES", 4000)
    made = Bridge()
    assert isinstance(join(made, "anna", ANNA), Welcome)
    sent(made, "anna", ANNA, 1, 50)
    for number in range(40):
        assert isinstance(join(made, f"eve{number}", EVE), Welcome)
        sent(made, f"eve{number}", EVE, 1, 50)
    kept = [session for session in made.core.sessions if session.newest is not None]
    assert 1 < len(kept) < 41
    assert kept[0].name == "anna/anna"
    assert sum(session.held_bytes() for session in kept) <= 4000
    assert [session.joined for session in kept[1:]] == [*range(43 - len(kept), 42)]


@pytest.mark.parametrize("stay", [True, False])
def test_who_was_cut_off_is_remembered_whatever_another_key_does(
    monkeypatch: pytest.MonkeyPatch, *, stay: bool
) -> None:
    """Anna's connection is lost, and Eve opens many: what Anna sends again was published before."""
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 10)
    made = Bridge()
    assert isinstance(join(made, "anna", ANNA), Welcome)
    [verdict] = sent(made, "anna", ANNA, 1, 50)
    assert verdict.published
    made.take(events.Lost(b"anna"))
    for number in range(30):
        assert isinstance(join(made, f"eve{number}", EVE), Welcome)
        made.take(arrived(b"eve%d" % number, OwnProgram(1, f"process = _,{number};"), EVE_TOO))
        if not stay:
            made.take(events.Lost(b"eve%d" % number))
    assert isinstance(join(made, "anna", ANNA, "anew"), Welcome)
    snapshot = Snapshot(1, 1, 48000.0, gain(0.5), name="n" * 200)
    written = len(made.writes)
    [again] = made.take(arrived(b"anew", snapshot, ANNA))
    assert again.message == verdict
    assert len(made.writes) == written
    assert sum(1 for _ in made.core.sessions) <= 10 + 1 + (30 if stay else 0)
