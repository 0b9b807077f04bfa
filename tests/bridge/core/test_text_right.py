"""Faust text of one's own is a right of its own: a model can't name a file, loop or crash."""

from __future__ import annotations

import pytest

from core_by_hand import Bridge, arrived
from faustwire.key_ring import RIGHTS
from faustwire.messages import Hello, OwnProgram, Reason, Snapshot, Verdict
from faustwire_bridge.core.events import User
from graphs import gain

TEXT = OwnProgram(1, "process = _,_;")


def said(bridge: Bridge, message: OwnProgram | Snapshot, user: User | None) -> Verdict:
    """The verdict on a message of a user's."""
    verdicts = [
        send.message
        for send in bridge.take(arrived(b"box", message, user))
        if isinstance(send.message, Verdict)
    ]
    assert len(verdicts) == 1
    return verdicts[0]


def welcomed(*rights: str) -> tuple[Bridge, User]:
    bridge, user = Bridge(), User("box", frozenset(rights))
    bridge.take(arrived(b"box", Hello("anna", "1", min_interval=0.0), user))
    return bridge, user


def test_who_may_publish_may_not_publish_text_and_is_told_what_to_do() -> None:
    bridge, user = welcomed("publish", "watch")
    verdict = said(bridge, TEXT, user)
    assert verdict.reason is Reason.REFUSED
    assert "faustwire keys enrol box --rights publish,watch,text" in verdict.detail
    assert bridge.compiles == []
    assert said(bridge, Snapshot(2, 1, 48000.0, gain(0.5)), user).published


def test_who_has_the_right_and_who_needs_no_key_may() -> None:
    """The control."""
    bridge, user = welcomed("publish", "text")
    assert said(bridge, TEXT, user).published
    assert Bridge().worker().publish(TEXT.program).published


def test_a_right_that_is_given_later_is_good_at_once() -> None:
    bridge, user = welcomed("publish")
    assert not said(bridge, TEXT, user).published
    more = User("box", user.rights | {"text"})
    assert said(bridge, OwnProgram(2, TEXT.program), more).published


@pytest.mark.parametrize("right", RIGHTS)
def test_the_right_alone_publishes_nothing(right: str) -> None:
    bridge, user = welcomed(right)
    sends = bridge.take(arrived(b"box", TEXT, user))
    assert not any(isinstance(s.message, Verdict) and s.message.published for s in sends)
    assert bridge.writes == []
