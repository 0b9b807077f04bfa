"""The commands of the program ``faustwire``, a module each.

A module has ``add(commands)``, which adds its parser and sets ``run``: a function of the parsed
options that returns the exit code.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from faustwire.errors import FaustwireError
from faustwire.terminal import printable

if TYPE_CHECKING:
    from faustwire.recording import Recording

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - no public name


def open_recording(paths: Iterable[str | Path]) -> Recording:
    """Open a recording, and say at once on standard error if a bridge is still writing it.

    Args:
        paths: files of the recording, or folders of them.

    Raises:
        RecordingError: none of them is a recording of ours.
        OSError: one can't be read.
    """
    # Reading recordings takes a tenth of a second to import; no other command shall wait for it.
    from faustwire.recording import Recording  # noqa: PLC0415

    found = Recording(paths)
    for line in found.unfinished:
        sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()
    return found


CALL_HELP = "a call by its number, or last, best, best:METRIC, best:METRIC:larger"


def call(text: str) -> int | str:
    """A call of a worker as people name it."""
    # Reading recordings takes a tenth of a second to import; no other command shall wait for it.
    from faustwire.recording.calls import parse_call  # noqa: PLC0415

    try:
        return parse_call(text)
    except FaustwireError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def above_zero(text: str) -> float:
    """A number of an option that is above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value
