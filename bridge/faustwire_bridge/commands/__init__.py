"""The commands of the program ``faustwire``, a module each.

A module has ``add(commands)``, which adds its parser and sets ``run``: a function of the parsed
options that returns the exit code. All modules are loaded for any command, so what takes long to
import (recordings, numpy, rich, the page's server) is imported where it is used.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from contextlib import suppress
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
        RecordingError: none of them is a faustwire recording.
        OSError: one can't be read.
    """
    from faustwire.recording import Recording  # noqa: PLC0415

    found = Recording(paths)
    for line in found.unfinished:
        sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()
    return found


CALL_HELP = "a call by its number, or last, best, best:METRIC, best:METRIC:larger"


def call(text: str) -> int | str:
    """Read an option that names a call of a worker.

    Args:
        text: what the option was given, in a form that ``CALL_HELP`` names.

    Returns:
        The call's number, or the words that name it.

    Raises:
        argparse.ArgumentTypeError: the text names no call; argparse shows the message.
    """
    from faustwire.recording.calls import parse_call  # noqa: PLC0415

    try:
        return parse_call(text)
    except FaustwireError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def number(text: str) -> float:
    """Read an option that takes a number.

    Args:
        text: what the option was given.

    Raises:
        argparse.ArgumentTypeError: it is not a finite number.
    """
    with suppress(ValueError):
        value = float(text)
        if math.isfinite(value):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a number")


def above_zero(text: str) -> float:
    """Read an option that takes a number above 0.

    Args:
        text: what the option was given.

    Raises:
        argparse.ArgumentTypeError: it is not a number above 0.
    """
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def change_db(text: str) -> float | None:
    """Read an option that takes a number of dB below 0, or "off".

    Args:
        text: what the option was given.

    Returns:
        The number; None: off.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text == "off":
        return None
    value = number(text)
    if value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is neither a number below 0 nor off")
    return value
