"""Which workers the plugin follows, from a choice and the sessions. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from faustwire.messages import Choice
from faustwire.worker_name import is_called
from faustwire_bridge.core.session import Session


def why_unheard(choice: Choice, session: Session, sessions: Iterable[Session]) -> str | None:
    """Explain why the plugin does not follow a worker.

    Args:
        choice: whom the plugin follows.
        session: the worker.
        sessions: all that are known, in the order in which they came.

    Returns:
        One line for people; None: the plugin follows it.
    """
    match choice.kind:
        case "worker":
            if not _is_called(session, choice.name):
                return f"the plugin follows {choice.name}"
        case "first":
            first = next((other for other in sessions if other.present), session)
            if first is not session:
                return f"the plugin follows {first.name}, who came first"
        case "best":
            best = _best(choice, sessions)
            if best is None:
                return f"the plugin waits for the metric {choice.name!r}; nobody has sent it yet"
            if best is not session:
                value = best.best(choice.name, larger=choice.larger)
                return f"the plugin follows {best.name}, whose {choice.name} got to {value:.6g}"
    return None


def followed(choice: Choice, sessions: Iterable[Session]) -> list[Session]:
    """Find the workers that the plugin follows.

    Asking ``why_unheard`` for each of a thousand workers takes a second.

    Args:
        choice: whom the plugin follows.
        sessions: all that are known, in the order in which they came.

    Returns:
        Those of them that are present and followed.
    """
    present = [session for session in sessions if session.present]
    match choice.kind:
        case "worker":
            return [session for session in present if _is_called(session, choice.name)]
        case "first":
            return present[:1]
        case "best":
            best = _best(choice, present)
            return [] if best is None else [best]
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
