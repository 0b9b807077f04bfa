"""Which module each leaf of a graph was lowered from, noted while it is lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from faustwire.graph import Leaf, Node


class LoweredLeaf(NamedTuple):
    """A module that was lowered to a leaf.

    Attributes:
        module: the module.
        rule: what has lowered it.
        node: the leaf.
    """

    module: Any
    rule: Callable[[Any, str], Node | None]
    node: Leaf


_noted: ContextVar[list[LoweredLeaf] | None] = ContextVar("noted", default=None)


@contextmanager
def noted() -> Iterator[list[LoweredLeaf]]:
    """Within this block, leaves are noted as they are lowered.

    Yields:
        The list of them, which grows.
    """
    leaves: list[LoweredLeaf] = []
    token = _noted.set(leaves)
    try:
        yield leaves
    finally:
        _noted.reset(token)


def note(module: Any, rule: Callable[[Any, str], Node | None], node: Leaf) -> None:
    """Note a leaf, if somebody wants to know.

    Args:
        module: what was lowered.
        rule: what has lowered it.
        node: the leaf.
    """
    leaves = _noted.get()
    if leaves is not None:
        leaves.append(LoweredLeaf(module, rule, node))
