"""Whom the plugin is to follow, as people type it: ``latest``, ``worker NAME``, ``best METRIC``."""

from __future__ import annotations

from collections.abc import Sequence

from faustwire.errors import FaustwireError
from faustwire.limits import MAX_NAME
from faustwire.messages import Choice
from faustwire.worker_name import can_be_name

WORDS = "latest | first | worker NAME | best METRIC [larger]"


class ChoiceError(FaustwireError, ValueError):
    """Words that are not a choice of whom to follow."""


def choice(words: Sequence[str]) -> Choice:
    """Parse a choice of whom to follow.

    Args:
        words: for instance ``["best", "loss"]``.

    Returns:
        The choice.

    Raises:
        ChoiceError: the words are not a choice; the error lists the choices.
    """
    _check_names(words)
    match list(words):
        case ["latest" | "first" as kind]:
            return Choice(kind)
        case ["worker", name] if name:
            return Choice("worker", name)
        case ["best", metric] if metric:
            return Choice("best", metric)
        case ["best", metric, "larger"] if metric:
            return Choice("best", metric, larger=True)
        case ["worker"]:
            problem = "which worker? Name one, as `faustwire status` shows it"
        case ["best"]:
            problem = "best by which metric? Name one that the workers send, such as loss"
        case ["best", _, *rest]:
            problem = (
                f"{' '.join(rest)!r} is not understood: smaller is better, unless told `larger`"
            )
        case ["latest" | "first" | "worker" as kind, *rest]:
            problem = f"{kind} and then {' '.join(rest)!r}? A name with spaces needs quotes"
        case _:
            problem = f"{' '.join(words)!r} names nobody to follow"
    raise ChoiceError(f"{problem}; one of: {WORDS}")


def _check_names(words: Sequence[str]) -> None:
    for word in words:
        if not can_be_name(word):
            raise ChoiceError(
                f"{word[:80]!r} can't be the name of a worker or a metric: at most {MAX_NAME} "
                "characters, in UTF-8"
            )
