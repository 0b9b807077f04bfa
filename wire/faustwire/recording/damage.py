"""What of a recording could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# A file that is damaged everywhere must not fill the memory with descriptions of it.
MAX_DAMAGES = 1000


class Damage(NamedTuple):
    """One thing that could not be read.

    Attributes:
        path: the file.
        offset: where in it, bytes.
        what: one line for people.
        messages: how many messages are missing because of it; None: not known.
    """

    path: Path
    offset: int
    what: str
    messages: int | None = None

    def __str__(self) -> str:
        missing = "" if self.messages is None else f"; {self.messages} messages are missing"
        return f"{self.path.name}, byte {self.offset}: {self.what}{missing}"


class Damages:
    """All damage that was found; what is read twice is listed once.

    Attributes:
        untold: how many more were found than are kept.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Path, int, str], Damage] = {}
        self.untold = 0

    def note(self, path: Path, offset: int, what: str, messages: int | None = None) -> None:
        """Add one, unless it is known already.

        Args:
            path: the file.
            offset: where in it, bytes.
            what: one line for people.
            messages: how many messages are missing because of it; None: not known.
        """
        key = (path, offset, what)
        if key in self._found or len(self._found) < MAX_DAMAGES:
            self._found[key] = Damage(path, offset, what, messages)
        else:
            self.untold += 1

    def __iter__(self) -> Iterator[Damage]:
        return iter(sorted(self._found.values(), key=lambda damage: damage[:2]))

    def __len__(self) -> int:
        return len(self._found) + self.untold
