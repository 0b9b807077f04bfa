"""What libfaust says of a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from faustwire_bridge.core.text_size import text_bytes

# Bytes of an element beside its address: the object, its fields, three numbers.
_CONTROL = 400
# The rate at which it is measured what a program takes to run, in Hz.
LOAD_FS = 48_000.0
# No DAW runs more slowly, so a lower rate that a worker states makes no program lighter.
_LOWEST_DAW_FS = 44_100.0


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
        forbidden: the problem is what the program imports, and libfaust has not seen it.
        seconds: processor time of the compile: how long the plugin is silent at a reload.
        n_in, n_out: numbers of input and output channels.
        controls: in the order of its user interface.
        peak: largest absolute sample of all that was heard of it when it was played, linear;
            None: it was not played.
        peak_in: where that was: "at 48 kHz with /live/gain at 0".
        level: the largest with its knobs at rest and no constant input; None: not known apart.
        unplayed: what there was no time to play, for people; empty: nothing.
        load: processor time that a second of sound takes in the interpreter of single precision, in
            blocks of the plugin's size, at 48 kHz or, see ``at_rate``, at the model's; None:
            not measured.
        program: the same program with what it imports written into it, which all this is said of;
            empty: it imports nothing, or it is ours.
    """

    problem: str = ""
    seconds: float = 0.0
    n_in: int = 0
    n_out: int = 2
    controls: tuple[Control, ...] = ()
    peak: float | None = None
    load: float | None = None
    peak_in: str = ""
    level: float | None = None
    unplayed: str = ""
    program: str = ""
    forbidden: bool = False

    def size(self) -> int:
        """About how many bytes it takes where it is remembered."""
        texts = text_bytes(self.problem) + text_bytes(self.program)
        return texts + sum(_CONTROL + text_bytes(control.address) for control in self.controls)


def from_plain(answer: Mapping[str, Any]) -> Report:
    """Read a report as the compiling process sends it.

    Args:
        answer: the fields, as JSON has them.

    Returns:
        The report.
    """
    controls = tuple(Control(**control) for control in answer.get("controls", ()))
    return Report(**{**answer, "controls": controls})


def at_rate(report: Report, fs: float) -> Report:
    """A report with what the program takes to run at another rate than that of the measurement.

    Args:
        report: of the program.
        fs: the model's rate in Hz; the plugin runs at the DAW's, whatever that is.

    Returns:
        The report; the same where nothing was measured.
    """
    fs = max(fs, _LOWEST_DAW_FS)
    if report.load is None or fs == LOAD_FS:
        return report
    return replace(report, load=report.load * fs / LOAD_FS)


def unplayed_warning(report: Report) -> list[str]:
    """What people should know of a program that was not played as far as it should be.

    Args:
        report: of it.

    Returns:
        One line, or none.
    """
    if not report.unplayed:
        return []
    return [
        f"there was no time to play all that should be, so this is not checked: {report.unplayed}"
    ]
