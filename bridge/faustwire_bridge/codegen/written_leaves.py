"""The lines that leaves were written as: in a training most leaves keep their values.

What a leaf writes follows from its values, its inputs, its place, and from which names the builder
has given before. Where all of that is as it was, the lines are as well. Leaves can't be changed, so
that one that is the same object has the same values; see ``faustwire.snapshot_reader``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple
from weakref import WeakKeyDictionary

from faustwire.graph import Leaf
from faustwire_bridge.codegen.builder import Place, ProgramBuilder, Value

# Of numbers in leaves that are remembered: 64 lines of one filter.
_MAX_NUMBERS = 2**11


class _Written(NamedTuple):
    """What leaves have added to a program.

    Attributes:
        given: all that this follows from, but for the first leaf.
        outputs: their output signals.
        definitions, equations: what the builder got from them.
        examples: of some of the definitions, by index among them.
        counts, kept: the builder's when they were written.
    """

    given: tuple[object, ...]
    outputs: list[Value]
    definitions: list[str]
    equations: list[tuple[str, str]]
    examples: dict[int, str]
    counts: dict[str, int]
    kept: dict[str, str]


class WrittenLeaves:
    """Remembers what leaves were written as."""

    def __init__(self) -> None:
        # By the first of them, while it exists; None: written once, and it may not come again.
        self._known: WeakKeyDictionary[Leaf, _Written | None] = WeakKeyDictionary()

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
        first, *others = leaves
        if first not in self._known:
            self._known[first] = None
            return write()
        given = (others, inputs, place, builder.counts, builder.kept)
        written = self._known[first]
        if written is None or written.given != given:
            written = self._known[first] = _observed(given, builder, write)
        else:
            start = len(builder.definitions)
            builder.examples |= {start + at: line for at, line in written.examples.items()}
            builder.definitions += written.definitions
            builder.equations += written.equations
            builder.counts, builder.kept = dict(written.counts), dict(written.kept)
        return list(written.outputs)


def _observed(
    given: tuple[list[Leaf], list[Value], Place, dict[str, int], dict[str, str]],
    builder: ProgramBuilder,
    write: Callable[[], list[Value]],
) -> _Written:
    others, inputs, place, counts, kept = given
    before = (others, [*inputs], place, dict(counts), dict(kept))
    definitions, equations = len(builder.definitions), len(builder.equations)
    examples = len(builder.examples)
    outputs = write()
    return _Written(
        before,
        outputs,
        builder.definitions[definitions:],
        builder.equations[equations:],
        {at - definitions: line for at, line in islice(builder.examples.items(), examples, None)},
        dict(builder.counts),
        dict(builder.kept),
    )


def _numbers(leaf: Leaf) -> int:
    return sum(getattr(value, "size", 0) for value in vars(leaf).values())
