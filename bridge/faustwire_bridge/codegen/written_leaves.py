"""The lines that leaves were written as: in a training most leaves keep their values.

What a leaf writes follows from its values, its inputs, its place, and from which names the builder
has given before. Where all of that is as it was, the lines are as well.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import islice
from typing import NamedTuple

from faustwire.graph import Leaf
from faustwire_bridge.codegen.builder import Place, ProgramBuilder, Value

# Of leaves, a few programs of some workers; and of numbers in one: 64 lines of one filter.
_KEPT = 128
_MAX_NUMBERS = 2**11


class _Written(NamedTuple):
    """What leaves have added to a program.

    Attributes:
        outputs: their output signals.
        definitions, equations: what the builder got from them.
        examples: of some of the definitions, by index among them.
        counts, kept: the builder's when they were written.
    """

    outputs: list[Value]
    definitions: list[str]
    equations: list[tuple[str, str]]
    examples: dict[int, str]
    counts: dict[str, int]
    kept: dict[str, str]


class WrittenLeaves:
    """Remembers what leaves were written as."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, _Written] = OrderedDict()

    def outputs(
        self,
        leaves: tuple[Leaf, ...],
        inputs: list[Value],
        builder: ProgramBuilder,
        place: Place,
        write: Callable[[], list[Value]],
    ) -> list[Value]:
        """Write leaves, or what they were written as.

        Args:
            leaves: one, or two that are written together.
            inputs: their input signals.
            builder: gets the definitions and loop variables.
            place: where they stand.
            write: writes them on the builder.

        Returns:
            Their output signals.
        """
        # A knob's factors are named in the order in which they are asked for; and zeros of either
        # sign are one key.
        if builder.attenuation is not None or not all(factor for factor, _ in inputs):
            return write()
        if sum(map(_numbers, leaves)) > _MAX_NUMBERS:
            return write()
        names = tuple(builder.counts.items()), tuple(builder.kept.items())
        key = (*map(_content, leaves), tuple(inputs), place, names)
        written = self._known.get(key)
        if written is None:
            written = self._known[key] = _observed(builder, write)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
            start = len(builder.definitions)
            builder.examples |= {start + at: line for at, line in written.examples.items()}
            builder.definitions += written.definitions
            builder.equations += written.equations
            builder.counts, builder.kept = dict(written.counts), dict(written.kept)
        return list(written.outputs)


def _observed(builder: ProgramBuilder, write: Callable[[], list[Value]]) -> _Written:
    definitions, equations = len(builder.definitions), len(builder.equations)
    examples = len(builder.examples)
    outputs = write()
    return _Written(
        outputs,
        builder.definitions[definitions:],
        builder.equations[equations:],
        {at - definitions: line for at, line in islice(builder.examples.items(), examples, None)},
        dict(builder.counts),
        dict(builder.kept),
    )


def _content(leaf: Leaf) -> Hashable:
    """All that tells one leaf from another."""
    values = (
        value if value is None or isinstance(value, str) else (value.shape, value.tobytes())
        for value in vars(leaf).values()
    )
    return (leaf.type, *values)


def _numbers(leaf: Leaf) -> int:
    return sum(getattr(value, "size", 0) for value in vars(leaf).values())
