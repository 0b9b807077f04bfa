"""What libfaust says of a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Control:
    """One element of a program's user interface.

    Attributes:
        address: ``/<program>/…/<label>``, under which the plugin keeps its value.
        init, min, max: its range.
        shows: a bargraph, which is no parameter.
    """

    address: str
    init: float = 0.0
    min: float = 0.0
    max: float = 1.0
    shows: bool = False


@dataclass(frozen=True)
class Report:
    """A compile that came to an end.

    Attributes:
        problem: libfaust's message; empty: it compiles.
        seconds: of processor time that the compile took, the plugin's silence at a reload.
        n_in, n_out: the program's channels.
        controls: in the order of its user interface.
        peak: the largest sample, of either sign, of what it made of a second of full-scale noise;
            None: it was not played.
    """

    problem: str = ""
    seconds: float = 0.0
    n_in: int = 0
    n_out: int = 2
    controls: tuple[Control, ...] = ()
    peak: float | None = None

    def text_size(self) -> int:
        """Characters of all its texts: how much room it takes where it is remembered."""
        return len(self.problem) + sum(64 + len(control.address) for control in self.controls)


def from_plain(answer: Mapping[str, Any]) -> Report:
    """The report that the child sent."""
    controls = tuple(Control(**control) for control in answer.get("controls", ()))
    return Report(**{**answer, "controls": controls})
