"""From a graph to the text of a Faust program: the parts put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from faustwire.controls import Slider
from faustwire.graph import Node, Parallel, Recursion, Series, channels, label
from faustwire_bridge.codegen import noise_floor
from faustwire_bridge.codegen.builder import ZERO, Place, ProgramBuilder, Value, term
from faustwire_bridge.codegen.fitting import ChannelChoice, Channels, fit_inputs, fit_outputs
from faustwire_bridge.codegen.knobs import Knobs
from faustwire_bridge.codegen.names import printable
from faustwire_bridge.codegen.wiring import write_node
from faustwire_bridge.codegen.written_leaves import WrittenLeaves


@dataclass(frozen=True)
class Program:
    """A Faust program.

    Attributes:
        text: the whole ``.dsp`` file.
        warnings: what is not as the model or the caller has it, a line each.
        n_in: how many inputs the program has.
        n_out: how many outputs.
        example: a program of the same structure without a header, the same one for most of them;
            see ``core.program_structure``.
    """

    text: str
    warnings: tuple[str, ...]
    n_in: int
    n_out: int
    example: str = field(default="", repr=False, compare=False)


@np.errstate(all="ignore")  # what overflows is refused where the program is judged
def generate(
    graph: Node,
    *,
    fs: float,
    name: str = "FDN",
    controls: Mapping[str, Slider] | None = None,
    channels: ChannelChoice = "plugin",
    written: WrittenLeaves | None = None,
) -> Program:
    """Write a graph as a Faust program: no import, no declared name, the same bytes every time.

    Args:
        graph: one that ``faustwire.validation.check`` accepts.
        fs: sampling rate in Hz that the delays were made for.
        name: of the model, for the header.
        controls: the knobs, by the control's name.
        channels: "plugin": what the plugin can play, at most 2 inputs and exactly 2 outputs (see
            ``fitting``). None: the model's own. Or a choice of the model's.
        written: what leaves were written as in other programs; None: nothing is known. The text is
            the same.

    Returns:
        The program.

    Raises:
        ChannelError: the model has no such channel.
        ControlError: two knobs have the same address.
    """
    composition = _Composition(graph, fs, name, Knobs(controls or {}, fs), channels)
    return composition.program(WrittenLeaves() if written is None else written)


class _Composition:
    """One program while it is put together."""

    def __init__(
        self, graph: Node, fs: float, name: str, knobs: Knobs, choice: ChannelChoice
    ) -> None:
        self._graph, self._fs, self._name = graph, fs, name
        self._knobs, self._choice = knobs, choice
        self._model_channels = channels(graph)
        self._sheet = ProgramBuilder(knobs.attenuation if knobs.has_rt60 else None)
        self._warnings: list[str] = []

    def program(self, written: WrittenLeaves) -> Program:
        if isinstance(self._choice, Channels):
            self._choice.check(*self._model_channels)
        feeds = fit_inputs(self._model_channels[0], self._choice, self._warnings)
        n_in = 1 + max(feed for feed in feeds if feed is not None)
        wet_inputs = self._knobs.delay_input([(1.0, f"x{i}") for i in range(n_in)], self._sheet)
        inputs = [ZERO if feed is None else wet_inputs[feed] for feed in feeds]
        graph = self._graph
        signals = write_node(graph, inputs, self._sheet, Place(label(graph)), written)
        fitted = fit_outputs(signals, self._choice, self._sheet, self._warnings)
        outputs = self._knobs.mix(fitted, n_in, self._sheet)
        self._knobs.finish()
        warnings = (*self._warnings, *self._knobs.warnings)
        begin = self._beginning(n_in, outputs)
        definitions, examples = self._sheet.definitions, self._sheet.examples
        likewise = [examples.get(at, line) for at, line in enumerate(definitions)]
        header = self._header(n_in, len(outputs), warnings)
        text = "\n".join([*header, *begin, *definitions, "};\n"])
        return Program(text, warnings, n_in, len(outputs), "\n".join([*begin, *likewise, "};\n"]))

    def _beginning(self, n_in: int, outputs: list[Value]) -> list[str]:
        """What stands between the header and the definitions."""
        lines = self._knobs.declarations()
        names = [f"y{o}" for o in range(len(outputs))]
        results = [term(value) if value[0] else "0.0" for value in outputs]
        if not self._sheet.equations:
            arguments = ", ".join(f"x{i}" for i in range(n_in))
            return [*lines, f"process({arguments}) = {', '.join(results)} with {{"]
        equations = [*self._sheet.equations, *zip(names, results, strict=True)]
        arguments = ", ".join(f"in{i}" for i in range(n_in))
        lines += [
            *noise_floor.definitions(self._graph),
            f"process({arguments}) = {', '.join(names)} letrec {{",
        ]
        lines += [f"'{name} = {value};" for name, value in equations]
        return [*lines, "where", *(f"x{i} = {noise_floor.raised(i)};" for i in range(n_in))]

    def _header(self, n_in: int, n_out: int, warnings: tuple[str, ...]) -> list[str]:
        own_in, own_out = self._model_channels
        return [
            f"// {printable(self._name)}",
            f"// generated by faustwire for a sampling rate of {self._fs:.12g} Hz",
            f"// {n_in} in, {n_out} out; the model: {own_in} in, {own_out} out",
            f"// topology: {printable(_topology(self._graph), 600)}",
            *(f"// warning: {printable(warning, 300)}" for warning in warnings),
        ]


def _topology(node: Node) -> str:
    match node:
        case Series():
            return " : ".join(_topology(child) for child in node.nodes)
        case Parallel():
            sign = " + " if node.join == "sum" else ", "
            return f"({sign.join(_topology(child) for child in node.nodes)})"
        case Recursion():
            return f"({_topology(node.forward)} ~ {_topology(node.feedback)})"
        case _:
            n_in, n_out = channels(node)
            shape = f"{n_in}" if n_in == n_out else f"{n_in}>{n_out}"
            return f"{label(node)}[{shape}]"
