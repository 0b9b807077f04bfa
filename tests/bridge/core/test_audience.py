"""Who hears which snapshot next, and which ones are judged for listeners alone."""

from __future__ import annotations

import pytest

from core_by_hand import Bridge, arrived
from faustwire.messages import Choice, Follow, Hello, Listen, Reason, Snapshot, Verdict
from faustwire_bridge.core import audience as audience_module
from faustwire_bridge.core.audience import LEASE_SECONDS, MAX_LISTENERS, Audience
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import Assessment
from graphs import gain

ANNA, BERTA, EAR = b"anna", b"berta", b"ear"
FINE = Judged("process = _;", assessment=Assessment(margin_db=1.0))
MUCH = 2**30
NOW = 100.0


@pytest.fixture
def bridge() -> Bridge:
    """Anna and Berta have joined."""
    made = Bridge()
    for name in (ANNA, BERTA):
        made.take(arrived(name, Hello(name.decode(), name.decode(), min_interval=0.0)))
    return made


def send(bridge: Bridge, audience: Audience, name: bytes, call: int) -> Verdict:
    """A snapshot and its verdict, of which the audience learns."""
    message = Snapshot(call, call, 48_000.0, gain(1 / (call + 1)))
    (sent,) = bridge.take(arrived(name, message))
    assert isinstance(sent.message, Verdict)
    session = bridge.core.sessions.at(name)
    assert session is not None
    audience.decided(session, sent.message)
    return sent.message


def heard_calls(audience: Audience) -> list[tuple[bytes, int, bool]]:
    return [(peer, each.call, bool(each.snapshot)) for peer, each in audience.pop_answers(MUCH)]


def test_what_was_published_is_heard_without_another_judgement(bridge: Bridge) -> None:
    audience = Audience(bridge.core.sessions)
    send(bridge, audience, ANNA, 1)
    assert audience.ask(EAR, None, Listen("anna"), NOW) is None
    assert heard_calls(audience) == [(EAR, 1, True)]
    assert audience.begin_judging(NOW) is None
    # One request, one answer; the next waits for what is newer.
    assert heard_calls(audience) == []
    audience.ask(EAR, None, Listen("anna", 1), NOW)
    assert heard_calls(audience) == []
    send(bridge, audience, ANNA, 2)
    assert heard_calls(audience) == [(EAR, 2, True)]


def test_those_who_asked_first_are_answered_first_and_not_all_in_one_go(bridge: Bridge) -> None:
    """64 answers of 16 MiB took a bridge seconds, and everybody else waited."""
    audience = Audience(bridge.core.sessions)
    send(bridge, audience, ANNA, 1)
    for ear in (b"one", b"two", b"three"):
        assert audience.ask(ear, None, Listen("anna"), NOW) is None
    assert [peer for peer, _ in audience.pop_answers(0)] == [b"one"]
    assert audience.ask(b"one", None, Listen("anna"), NOW) is None
    [(_, heard)] = audience.pop_answers(0)
    assert [peer for peer, _ in audience.pop_answers(2 * len(heard.snapshot))] == [b"three", b"one"]
    assert audience.pop_answers(MUCH) == []


def test_what_is_not_followed_is_judged_once_for_all_who_wait_for_it(bridge: Bridge) -> None:
    audience = Audience(bridge.core.sessions)
    bridge.take(arrived(b"boss", Follow(Choice("worker", "anna"))))
    assert send(bridge, audience, BERTA, 1).reason is Reason.NOT_FOLLOWED
    assert audience.begin_judging(NOW) is None, "nobody has asked"
    for ear in (EAR, b"other"):
        audience.ask(ear, None, Listen("berta"), NOW)
    chosen = audience.begin_judging(NOW)
    assert chosen is not None
    assert chosen.call == 1
    assert audience.begin_judging(NOW) is None, "one at a time"
    send(bridge, audience, BERTA, 2)
    audience.end_judging(FINE)
    assert sorted(heard_calls(audience)) == [(EAR, 1, True), (b"other", 1, True)]
    audience.ask(EAR, None, Listen("berta", 1), NOW)
    newest = audience.begin_judging(NOW)
    assert newest is not None
    assert newest.call == 2
    refused = Judged(refusal=Refusal(Reason.REFUSED, "no loop without delay"))
    audience.end_judging(refused)
    ((_, heard),) = audience.pop_answers(MUCH)
    assert (heard.call, heard.reason, heard.snapshot) == (2, Reason.REFUSED, b"")


def test_what_only_libfaust_could_tell_is_not_heard(bridge: Bridge) -> None:
    audience = Audience(bridge.core.sessions)
    bridge.take(arrived(b"boss", Follow(Choice("worker", "anna"))))
    send(bridge, audience, BERTA, 1)
    audience.ask(EAR, None, Listen("berta"), NOW)
    audience.begin_judging(NOW)
    audience.end_judging(Judged("process = _;", assessment=Assessment(certain=False)))
    assert heard_calls(audience) == [(EAR, 1, False)]


def test_what_the_pipeline_still_judges_is_not_judged_twice(bridge: Bridge) -> None:
    audience = Audience(bridge.core.sessions)
    bridge.judges = False
    bridge.take(arrived(ANNA, Snapshot(1, 1, 48_000.0, gain(0.5))))
    audience.ask(EAR, None, Listen("anna"), NOW)
    assert audience.begin_judging(NOW) is None


def test_who_does_not_ask_again_is_forgotten_and_there_is_a_limit(bridge: Bridge) -> None:
    audience = Audience(bridge.core.sessions)
    for number in range(MAX_LISTENERS):
        assert audience.ask(b"%d" % number, "eve", Listen("anna"), NOW) is None
    assert "already" in (audience.ask(EAR, "eve", Listen("anna"), NOW) or "")
    assert audience.ask(EAR, "adam", Listen("anna"), NOW) is None
    assert audience.ask(EAR, "eve", Listen("anna"), NOW + LEASE_SECONDS + 0.1) is None
    send(bridge, audience, ANNA, 1)
    assert heard_calls(audience) == [(EAR, 1, True)]


def test_a_user_without_the_right_gets_nothing_more(bridge: Bridge) -> None:
    audience = Audience(bridge.core.sessions)
    audience.ask(EAR, "eve", Listen("anna"), NOW)
    audience.forget("eve")
    send(bridge, audience, ANNA, 1)
    assert heard_calls(audience) == []


def test_what_is_kept_is_bounded(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience_module, "MAX_KEPT_BYTES", 200)
    audience = Audience(bridge.core.sessions)
    send(bridge, audience, ANNA, 1)
    send(bridge, audience, BERTA, 1)
    for ear, name in ((EAR, "anna"), (b"other", "berta")):
        audience.ask(ear, None, Listen(name), NOW)
    assert heard_calls(audience) == [(b"other", 1, True)]
    # Anna's newest is there again with her next call.
    send(bridge, audience, ANNA, 2)
    assert heard_calls(audience) == [(EAR, 2, True)]
