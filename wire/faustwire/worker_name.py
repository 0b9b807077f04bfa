"""The names people use for workers: ``NAME``, ``USER/NAME``, and ``NAME#INCARNATION``.

Names are checked, made, shortened and compared here and nowhere else. They are never split: a
worker may be called ``lr#3`` or ``sweep/lr#3`` by its owner, so only a comparison with a known name
can tell which part is what.
"""

from __future__ import annotations

from faustwire.limits import MAX_NAME
from faustwire.utf8 import is_utf8

# Enough to tell the namesakes of one sweep apart; an incarnation is random hex text.
_SHOWN_CHARACTERS = 4


def can_be_name(text: str) -> bool:
    """Whether text may be sent as the name of a worker or a metric; the empty text may.

    Args:
        text: what a person chose.
    """
    return len(text) <= MAX_NAME and is_utf8(text)


def full_name(worker: str, user: str | None) -> str:
    """The name that a worker is known by at the bridge.

    Args:
        worker: the name that it chose in its Hello.
        user: the name that its key was enrolled under, which no worker can choose; None or empty:
            it connected without keys.

    Returns:
        ``USER/NAME``, or ``NAME`` without keys; at most ``MAX_NAME`` characters.
    """
    return f"{user}/{worker}"[:MAX_NAME] if user else worker


def with_incarnation(name: str, incarnation: str) -> str:
    """The name of one of several namesakes, in a form that ``is_called`` accepts.

    Args:
        name: the worker's full name.
        incarnation: the random text that tells this worker from its namesakes.

    Returns:
        ``NAME#`` and the first characters of the incarnation.
    """
    return f"{name}#{incarnation[:_SHOWN_CHARACTERS]}"


def is_called(asked: str, name: str, incarnation: str) -> bool:
    """Whether a person who writes ``asked`` means this worker.

    Args:
        asked: a full name, or a full name, ``#`` and the first characters of an incarnation.
        name: the worker's full name.
        incarnation: the worker's incarnation.
    """
    if asked == name:
        return True
    beginning = asked[len(name) + 1 :]
    return bool(beginning) and asked.startswith(f"{name}#") and incarnation.startswith(beginning)
