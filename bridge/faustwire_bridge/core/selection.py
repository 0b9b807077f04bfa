"""Which workers the plugin follows, from a choice and the sessions. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from faustwire.messages import Choice
from faustwire.worker_name import is_called
from faustwire_bridge.core.session import Session


def leader(choice: Choice, sessions: Iterable[Session]) -> Session | None:
    """Find the worker that is followed where only one is: the first or the best.

    Args:
        choice: whom the plugin follows.
        sessions: all that are known, in the order in which they came.

    Returns:
        That worker; None: nobody is it yet, or the choice is of another kind.
    """
    if choice.kind == "first":
        return next((session for session in sessions if session.present), None)
    return _best(choice, sessions) if choice.kind == "best" else None


def why_unheard(choice: Choice, session: Session, led: Session | None) -> str | None:
    """Explain why the plugin does not follow a worker.

    Args:
        choice: whom the plugin follows.
        session: the worker.
        led: the ``leader``.

    Returns:
        One line for people; None: the plugin follows it.
    """
    match choice.kind:
        case "worker":
            if not _is_called(session, choice.name):
                return f"the plugin follows {choice.name}"
        case "first":
            if led is not None and led is not session:
                return f"the plugin follows {led.name}, who came first"
        case "best":
            if led is None:
                return f"the plugin waits for the metric {choice.name!r}; nobody has sent it yet"
            if led is not session:
                value = led.best(choice.name, larger=choice.larger)
                return f"the plugin follows {led.name}, whose {choice.name} got to {value:.6g}"
    return None


def followed(choice: Choice, sessions: Iterable[Session]) -> list[Session]:
    """Find the workers that the plugin follows.

    Args:
        choice: whom the plugin follows.
        sessions: all that are known, in the order in which they came.

    Returns:
        Those of them that are present and followed.
    """
    if choice.kind in ("first", "best"):
        led = leader(choice, sessions)
        return [] if led is None else [led]
    present = [session for session in sessions if session.present]
    if choice.kind == "worker":
        return [session for session in present if _is_called(session, choice.name)]
    return present


def _is_called(session: Session, asked: str) -> bool:
    return is_called(asked, session.name, session.hello.incarnation)


def _best(choice: Choice, sessions: Iterable[Session]) -> Session | None:
    """The present worker whose metric is best so far; of equals the one that came first."""
    sign = -1.0 if choice.larger else 1.0
    best, least = None, float("inf")
    for session in sessions:
        value = session.best(choice.name, larger=choice.larger) if session.present else None
        if value is not None and (best is None or sign * value < least):
            best, least = session, sign * value
    return best
