"""Whom the plugin follows. Pure: a choice and the sessions in, who is heard out."""

from __future__ import annotations

from collections.abc import Iterable

from faustwire.messages import Choice
from faustwire.worker_name import is_called
from faustwire_bridge.core.sessions import Session


def why_unheard(choice: Choice, session: Session, sessions: Iterable[Session]) -> str | None:
    """Why a worker is not heard, one line for people; None: it is.

    Args:
        choice: whom the plugin follows.
        session: the worker.
        sessions: all that are known, in the order in which they came.
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
    """Those of who is there that are heard; asking each of a thousand alone takes a second."""
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
    """Whose metric is best so far, of those that are there; of equals the one who came first."""
    sign = -1.0 if choice.larger else 1.0
    best, least = None, float("inf")
    for session in sessions:
        value = session.best(choice.name, larger=choice.larger) if session.present else None
        if value is not None and (best is None or sign * value < least):
            best, least = session, sign * value
    return best
