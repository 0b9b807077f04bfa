"""The base of all errors that people see, and those that several modules raise."""

from __future__ import annotations

import math

# Enough to recognise a value; more would let a stranger fill our logs.
_SHOWN = 40


class FaustwireError(Exception):
    """Base of every error that faustwire raises on purpose."""


class GraphError(FaustwireError, ValueError):
    """A graph that can't be played: a shape, a size, a number, or a loop without delay.

    Attributes:
        path: where in the graph, the names of the nodes from the root joined by dots.
        problem: what is wrong there and what to do.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"at {path}: {problem}")
        self.path = path
        self.problem = problem


class NonFiniteError(GraphError):
    """A value of the graph is NaN or infinite: the training has diverged there."""


class MessageError(FaustwireError, ValueError):
    """Bytes that are not a message of this protocol, or a message that exceeds a limit.

    Attributes:
        seq: number of the Snapshot or OwnProgram; None: it could not be read.
    """

    def __init__(self, problem: str, *, seq: int | None = None) -> None:
        super().__init__(problem)
        self.seq = seq


def explained(problem: Exception) -> str:
    """An error in one line; a system error with the file's name and without its number.

    Args:
        problem: ours, or one of the system's.
    """
    if not isinstance(problem, OSError):
        return str(problem)
    where = problem.filename2 or problem.filename
    what = problem.strerror or str(problem) or type(problem).__name__
    if isinstance(where, bytes):
        where = where.decode("utf-8", "replace")
    # A descriptor's number tells a person nothing.
    return what if where is None or isinstance(where, int) else f"{what}: {where}"


def is_finite(value: float) -> bool:
    """Whether a number is finite as a float; whole numbers of any length are accepted."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def shown(value: object) -> str:
    """A short text for a value from outside, to be quoted in an error.

    Containers are named by their type only: the sender chooses how long and how deep they are.
    """
    if isinstance(value, (str, bytes)):
        return repr(value[:_SHOWN])
    if isinstance(value, int) and abs(value) >= 2**64:
        return f"a whole number of {value.bit_length()} bits"
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


class RecordingError(FaustwireError, ValueError):
    """A file that is not one of our recordings, or a recording that can't be made."""
