"""The errors that people see, one small family."""

from __future__ import annotations

# Enough to recognise what was sent; more would let a stranger fill our logs.
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
    """Bytes that are no message of this protocol, or one that breaks a limit of it.

    Attributes:
        seq: of the Snapshot or OwnProgram they were, None where that could not be read.
    """

    def __init__(self, problem: str, *, seq: int | None = None) -> None:
        super().__init__(problem)
        self.seq = seq


def shown(value: object) -> str:
    """What an error quotes of a value from outside: short, whatever somebody has sent.

    The text of a container is as long, and its making recurses as deep, as whoever sent it likes.
    """
    if isinstance(value, (str, bytes)):
        return repr(value[:_SHOWN])
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


class RecordingError(FaustwireError, ValueError):
    """A file that is no recording of ours, or a recording that can't be made where it should."""
