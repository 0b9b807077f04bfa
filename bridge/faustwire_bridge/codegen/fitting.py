"""Which of the model's channels a program has, and what the plugin hears of the others.

The plugin passes two input and two output buffers whatever the program has; one output leaves its
right channel unwritten, more than two crash it, more than two inputs read past an array. So by
default:

- 1 input: the program has 1 and is fed the left channel. 2: as they are. More: the program has 2,
  and the model's inputs are fed left, right, left, right, …
- 1 output: sent to both channels. 2: as they are. More: the even-numbered ones are summed on the
  left, the odd-numbered ones on the right, each sum divided by the square root of its length,
  which keeps the loudness of signals that have nothing to do with each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from faustwire.errors import FaustwireError
from faustwire.graph import Array
from faustwire_bridge.codegen.builder import ZERO, ProgramBuilder, Value

PLUGIN_CHANNELS = 2


class ChannelError(FaustwireError, ValueError):
    """A choice of channels that the model doesn't have."""


@dataclass(frozen=True)
class Channels:
    """A choice of the model's channels.

    Attributes:
        inputs: the model's inputs that the program's inputs feed, in this order; the others get
            silence. None: all.
        outputs: the model's outputs that the program sends, in this order, repeats allowed.
            None: all.
    """

    inputs: tuple[int, ...] | None = None
    outputs: tuple[int, ...] | None = None

    def check(self, n_in: int, n_out: int) -> None:
        """Check that a model with so many channels has the chosen ones.

        Args:
            n_in: how many inputs the model has.
            n_out: how many outputs.

        Raises:
            ChannelError: a chosen channel doesn't exist, an input is chosen twice, or a choice is
                empty.
        """
        for kind, chosen, count in (("in", self.inputs, n_in), ("out", self.outputs, n_out)):
            if chosen is None:
                continue
            if not chosen:
                raise ChannelError(f"no {kind}put is chosen; leave the choice out for all")
            if strange := [c for c in chosen if isinstance(c, bool) or c not in range(count)]:
                raise ChannelError(
                    f"the model has no {kind}put {strange[0]!r}; it has 0 … {count - 1}"
                )
        if self.inputs and len(set(self.inputs)) < len(self.inputs):
            raise ChannelError(f"an input is chosen twice: {list(self.inputs)}")


# "plugin": what the plugin can play. None: the model's own.
ChannelChoice: TypeAlias = Channels | Literal["plugin"] | None


def fit_inputs(n_in: int, choice: ChannelChoice, warnings: list[str]) -> list[int | None]:
    """Which of the program's inputs feeds each of the model's.

    Args:
        n_in: how many inputs the model has.
        choice: of channels.
        warnings: gets a line when something is not as the model has it.

    Returns:
        [n_in], numbers of the program's inputs; None is silence.
    """
    if isinstance(choice, Channels) and choice.inputs is not None:
        places = {channel: place for place, channel in enumerate(choice.inputs)}
        return [places.get(channel) for channel in range(n_in)]
    if choice == "plugin" and n_in > PLUGIN_CHANNELS:
        warnings.append(f"{n_in} inputs: the plugin has 2, which feed them left, right, left, ...")
        return [channel % PLUGIN_CHANNELS for channel in range(n_in)]
    return list(range(n_in))


def fit_outputs(
    outputs: Sequence[Value], choice: ChannelChoice, builder: ProgramBuilder, warnings: list[str]
) -> list[Value]:
    """The program's outputs, made of the model's.

    Args:
        outputs: of the model.
        choice: of channels.
        builder: gets the definitions.
        warnings: gets a line when something is not as the model has it.

    Returns:
        The outputs of the program: those chosen, two for the plugin, or all of the model's.
    """
    if isinstance(choice, Channels) and choice.outputs is not None:
        return [outputs[channel] for channel in choice.outputs]
    if choice != "plugin" or len(outputs) == PLUGIN_CHANNELS:
        return list(outputs)
    if len(outputs) == 1:
        warnings.append("1 output: sent to both channels of the plugin")
        return [outputs[0], outputs[0]]
    warnings.append(
        f"{len(outputs)} outputs: the plugin has 2; even ones are summed left, odd ones right, "
        "divided by the square root of how many"
    )
    builder.comment("fitted to the plugin's two outputs")
    return [
        builder.scaled(factor, builder.total("g", [outputs[channel] for channel in summed]))
        if summed
        else ZERO
        for summed, factor in _sides(len(outputs))
    ]


def _sides(n_out: int) -> list[tuple[range, float]]:
    """Of each of the plugin's outputs: which of the model's are summed, and by what scaled."""
    sides = [range(side, n_out, PLUGIN_CHANNELS) for side in range(PLUGIN_CHANNELS)]
    return [(summed, 1 / math.sqrt(max(len(summed), 1))) for summed in sides]


def input_matrix(n_in: int) -> Array | None:
    """What feeds a model's inputs, from the plugin's.

    Args:
        n_in: how many inputs the model has.

    Returns:
        [n_in, 2] of ones and zeros; None: the program has as many inputs as the model.
    """
    feeds = fit_inputs(n_in, "plugin", [])
    if feeds == list(range(n_in)):
        return None
    return np.array([[float(feed == side) for side in range(PLUGIN_CHANNELS)] for feed in feeds])


def output_matrix(n_out: int) -> Array | None:
    """What the plugin's two outputs are made of.

    Args:
        n_out: how many outputs the model has.

    Returns:
        [2, n_out]; None: each of the plugin's is one of the model's.
    """
    if n_out <= PLUGIN_CHANNELS:
        return None
    sums = np.zeros((PLUGIN_CHANNELS, n_out))
    for side, (summed, factor) in enumerate(_sides(n_out)):
        sums[side, summed] = factor
    return sums
