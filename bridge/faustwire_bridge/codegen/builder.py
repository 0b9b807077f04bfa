"""The builder that a program is written on: definitions, loop variables, and the names they get.

A program is one ``letrec``. Its variables are the signals that are needed a sample later: inputs
of delay lines inside loops and states of filters. Inside the equations such a variable still holds
the previous sample, so a delay of m samples reads it as ``@(m-1)``; that is the one place where a
loop is cut, wherever in the graph the delays are. Everything else is a local definition in the
``where`` part, where order does not matter.

Signals are scalar: a factor that is still to be applied, and the name that it applies to. Factors
wait until a sum needs them, so that gains in a row cost one multiplication.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from faustwire.graph import Node, label

# (factor, operand): the signal is their product. The operand binds at least as tightly as `*`.
Value: TypeAlias = tuple[float, str]

ZERO: Value = (0.0, "0")
# Products of factors outside of this are left to the running program: folded, they would lose
# digits, vanish or become infinite.
_FACTORS = (1e-250, 1e250)
# Stands for any constant.
_ANY = 0.5


@dataclass(frozen=True)
class Place:
    """Where in the graph a node stands.

    Attributes:
        path: names from the root, joined by dots.
        in_loop: whether it is inside a recursion.
        exact: whether its outputs may depend on no input that they don't need: inside a loop whose
            delays are spread over its channels, a needless dependency would close a loop without
            delay.
    """

    path: str
    in_loop: bool = False
    exact: bool = False

    def below(self, child: Node) -> Place:
        """The place of a child."""
        return Place(f"{self.path}.{label(child)}", self.in_loop, self.exact)

    def looped(self, *, every_path_delayed: bool) -> Place:
        """The same place, inside the recursion that stands there."""
        return Place(self.path, in_loop=True, exact=self.exact or not every_path_delayed)


class ProgramBuilder:
    """Collects the lines of one program.

    Attributes:
        definitions: lines of the ``where`` part, comments among them.
        equations: (variable, its next value).
        attenuation: the operand that a delay of so many samples in a loop is multiplied by, when
            there is a knob for it.
        examples: some of the definitions, by index, with other constants: the same ones in all
            programs of one structure.
        counts: how many names there are of each prefix.
        kept: loop variables that ``previous`` has made, by operand.
    """

    def __init__(self, attenuation: Callable[[float], str] | None = None) -> None:
        self.attenuation = attenuation
        self.definitions: list[str] = []
        self.equations: list[tuple[str, str]] = []
        self.examples: dict[int, str] = {}
        self.counts: dict[str, int] = {}
        self.kept: dict[str, str] = {}

    def name(self, prefix: str) -> str:
        """A new identifier; one lower-case letter and a number is never a Faust keyword."""
        count = self.counts.get(prefix, 0)
        self.counts[prefix] = count + 1
        return f"{prefix}{count}"

    def define(self, prefix: str, expression: str) -> str:
        """Name an expression; the name is the operand of a Value.

        Args:
            prefix: of the name, one lower-case letter.
            expression: in Faust, of names that are known already or will be.

        Returns:
            The name.
        """
        name = self.name(prefix)
        self.definitions.append(f"{name} = {expression};")
        return name

    def define_rows(self, prefix: str, form: str, rows: list[list[float]]) -> list[str]:
        """Name expressions that differ in their constants only.

        Args:
            prefix: of the names, one lower-case letter.
            form: of the expressions, with %r for each constant.
            rows: the constants of each expression.

        Returns:
            The names.
        """
        names = [self.name(prefix) for _ in rows]
        example = f"{form % ((_ANY,) * len(rows[0]))};"
        for name, row in zip(names, rows, strict=True):
            # Products with one are simplified away.
            if 1.0 not in row and -1.0 not in row:
                self.examples[len(self.definitions)] = f"{name} = {example}"
            self.definitions.append(f"{name} = {form % tuple(row)};")
        return names

    def define_sum(self, name: str, values: Iterable[Value]) -> None:
        """Define a name that was given before as the sum of some values.

        Args:
            name: given by ``name``.
            values: the signals to add.
        """
        terms = [value for value in values if value[0] != 0.0]
        example = "+".join(_examples(terms)) or "0.0"
        self.examples[len(self.definitions)] = f"{name} = {example};"
        self.definitions.append(f"{name} = {'+'.join(map(term, terms)) or '0.0'};")

    def comment(self, text: str) -> None:
        """A line of its own between the definitions; ``text`` is printable ASCII."""
        self.definitions.append(f"// {text}")

    def variable(self, prefix: str, next_value: str) -> str:
        """A new loop variable: the previous sample of ``next_value``.

        Args:
            prefix: of the name, one lower-case letter.
            next_value: a Faust expression, the variable's value one sample later.

        Returns:
            The name of the variable.
        """
        name = self.name(prefix)
        self.equations.append((name, next_value))
        return name

    def previous(self, operand: str) -> str:
        """The previous sample of an operand, as a loop variable that is made only once."""
        if operand not in self.kept:
            self.kept[operand] = self.variable("d", operand)
        return self.kept[operand]

    def operand(self, value: Value) -> str:
        """The value as something that binds tightly: its own operand, or a new name."""
        factor, operand = value
        return operand if factor == 1.0 else self.define("t", term(value))

    def total(self, prefix: str, values: Iterable[Value], form: str = "%s") -> Value:
        """The sum of some values, in a form such as "(%s)@3".

        A new name only when there is something to do. Where all factors have one magnitude, the sum
        is made of signs and the factor waits.

        Args:
            prefix: of the name, one lower-case letter.
            values: the signals to add.
            form: what becomes of the sum, which is put in place of its %s.

        Returns:
            The sum in that form; ZERO where all values are zero.
        """
        terms = [value for value in values if value[0] != 0.0]
        if not terms:
            return ZERO
        if len(terms) == 1:
            factor, operand = terms[0]
            return (factor, operand if form == "%s" else self.define(prefix, form % operand))
        magnitude = abs(terms[0][0])
        if all(abs(factor) == magnitude for factor, _ in terms[1:]):
            negative, text = _signed([(factor < 0, operand) for factor, operand in terms])
            return (-magnitude if negative else magnitude, self.define(prefix, form % text))
        name = self.name(prefix)
        self.examples[len(self.definitions)] = f"{name} = {form % balanced(_examples(terms))};"
        self.definitions.append(f"{name} = {form % balanced([*map(term, terms)])};")
        return (1.0, name)

    def scaled(self, factor: float, value: Value) -> Value:
        """The product of a factor and a value, folded where no digits are lost.

        Args:
            factor: linear.
            value: the signal.

        Returns:
            The product; ZERO where one of the two is zero.
        """
        product = factor * value[0]
        if _FACTORS[0] < abs(product) < _FACTORS[1] or factor == 0.0 or value[0] == 0.0:
            return (product, value[1]) if product else ZERO
        return (factor, self.define("t", term(value)))


def term(value: Value) -> str:
    """A value as an operand of a sum."""
    factor, operand = value
    return operand if factor == 1.0 else f"{factor!r}*{operand}" if factor else "0"


def _examples(values: list[Value]) -> list[str]:
    """Operands of a sum with other constants; products with one are simplified away."""
    return [term(value) if value[0] in (1.0, -1.0) else f"{_ANY}*{value[1]}" for value in values]


def balanced(terms: Sequence[str]) -> str:
    """A sum as a balanced tree: shallow, and libfaust simplifies it faster than a long chain."""
    level = list(terms)
    if len(level) == 3:  # the commonest, a section's
        return f"({level[0]}+{level[1]})+{level[2]}"
    while len(level) > 2:
        pairs = [f"({a}+{b})" for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return "+".join(level)


def _signed(terms: list[tuple[bool, str]]) -> tuple[bool, str]:
    """A balanced sum of some operands with signs, and whether it is the negative of the sum."""
    level = terms
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        joined = [
            (negative, f"({a}{'+' if negative == other else '-'}{b})")
            for (negative, a), (other, b) in pairs
        ]
        level = joined + level[len(joined) * 2 :]
    negative, text = level[0]
    return negative, text[1:-1]


def delayed(operand: str, steps: int, builder: ProgramBuilder, *, in_loop: bool = False) -> str:
    """An operand some whole samples ago, read from a loop variable inside loops.

    Args:
        operand: a name that a delay may be applied to.
        steps: whole samples, 0 or more.
        builder: gets the loop variable.
        in_loop: whether the delay stands inside a recursion.

    Returns:
        An operand: it binds more tightly than ``*``.
    """
    if steps == 0:
        return operand
    if in_loop:
        operand, steps = builder.previous(operand), steps - 1
    return f"{operand}@{steps}" if steps else operand


def attenuated(value: Value, samples: float, builder: ProgramBuilder) -> Value:
    """A delay's output in a loop, turned down as the rt60 knob asks where there is one.

    Args:
        value: the output of the delay.
        samples: the delay.
        builder: gets the definition; its ``attenuation`` names the factor.

    Returns:
        The output; unchanged where there is no knob, no delay or no signal.
    """
    factor, operand = value
    if not builder.attenuation or factor == 0.0 or samples == 0.0:
        return value
    return (factor, builder.define("a", f"{builder.attenuation(samples)}*{operand}"))
