"""Results of earlier compiles, so that nothing is compiled twice."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_T = TypeVar("_T")

# A training walks through a handful of structures; each costs a kilobyte.
MAX_KNOWN = 256


class CompileCache(Generic[_T]):
    """Remembers the results that were looked up last, some of them for a limited time."""

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes | str, tuple[_T, float]] = OrderedDict()

    def get(self, key: bytes | str, now: float) -> _T | None:
        """Look up a result.

        Args:
            key: of the program or structure.
            now: seconds on the bridge's clock.

        Returns:
            The result; None: it is not known, or not any more.
        """
        if key not in self._answers:
            return None
        answer, until = self._answers[key]
        if now >= until:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: bytes | str, answer: _T, until: float = float("inf")) -> None:
        """Remember a result; the one that was not looked up for longest may be forgotten.

        Args:
            key: of the program or structure.
            answer: the result.
            until: when it expires, in seconds on the bridge's clock.
        """
        self._answers[key] = (answer, until)
        self._answers.move_to_end(key)
        if len(self._answers) > MAX_KNOWN:
            self._answers.popitem(last=False)
