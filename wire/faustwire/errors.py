"""The errors that people see, one small family."""

from __future__ import annotations


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
        seq: of the Snapshot or Source they were, None where that could not be read.
    """

    def __init__(self, problem: str, *, seq: int | None = None) -> None:
        super().__init__(problem)
        self.seq = seq
