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
        shows: it is a bargraph, not a parameter.
    """

    address: str
    init: float = 0.0
    min: float = 0.0
    max: float = 1.0
    shows: bool = False


@dataclass(frozen=True)
class Report:
    """A compile that libfaust finished.

    Attributes:
        problem: libfaust's error; empty: it compiles.
        seconds: processor time of the compile: how long the plugin is silent at a reload.
        n_in, n_out: numbers of input and output channels.
        controls: in the order of its user interface.
        peak: largest absolute sample of its response to a second of full-scale noise, linear;
            None: it was not played.
        load: processor time that a second of sound takes at 48 kHz in the interpreter of single
            precision, in blocks of the plugin's size; None: not measured.
    """

    problem: str = ""
    seconds: float = 0.0
    n_in: int = 0
    n_out: int = 2
    controls: tuple[Control, ...] = ()
    peak: float | None = None
    load: float | None = None

    def text_size(self) -> int:
        """Characters of all its texts: how much room it takes where it is remembered."""
        return len(self.problem) + sum(64 + len(control.address) for control in self.controls)


def from_plain(answer: Mapping[str, Any]) -> Report:
    """Read a report as the compiling process sends it.

    Args:
        answer: the fields, as JSON has them.

    Returns:
        The report.
    """
    controls = tuple(Control(**control) for control in answer.get("controls", ()))
    return Report(**{**answer, "controls": controls})
