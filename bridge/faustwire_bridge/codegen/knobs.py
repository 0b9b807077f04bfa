"""The macro controls in a program: slider declarations, and what they do to the signals.

``rt60`` attenuates every delay of m samples inside a recursion by 10^(-3m/(fs·RT60)) a pass, on
top of what was trained; where it has a neutral end it does nothing there. ``pre_delay`` delays the
input of the wet path. ``dry_wet`` fades between the program's input and its output: output o gets
input o; a program with one input sends it to all outputs, one with one output hears the mean of its
inputs, and outputs beyond the inputs stay wet only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from faustwire.controls import ControlError, Slider, neutral_above, placed
from faustwire_bridge.codegen.builder import ZERO, ProgramBuilder, Value, term

# libfaust makes an address of a label by replacing these with an underscore.
_REPLACED = re.compile(r"[\s#*,/\\?\[\]{}()]")
# Where libfaust would look for more than a name: a definition's value, a group, a path.
_SPECIAL = re.compile(r"[%:]|^[./]+")
# Follows the slider in 20 ms, but starts where it stands: what is smoothed is its changes, and the
# first sample is no change.
_SMOOTHED_WET = (
    "wet = slider_dry_wet-lag letrec {",
    "'lag = 0.999*(lag+1'*(slider_dry_wet-slider_dry_wet'));",
    "};",
)
# Above 2^30 samples the length of the delay line would not fit Faust's integers.
_MAX_PRE_DELAY_SAMPLES = 2**21


def address(label: str) -> str:
    """The last part of a slider's address, as the plugin stores its value under."""
    return _REPLACED.sub("_", _plain(label))


def _plain(label: str) -> str:
    return _SPECIAL.sub("_", label.strip())


class Knobs:
    """The sliders of one program.

    Attributes:
        declarations: definitions at the top level of the program, in the order of the sliders'
            addresses.
        warnings: controls that can't apply to this model, in words.
    """

    def __init__(self, sliders: Mapping[str, Slider], fs: float) -> None:
        # Whoever knows whether the model decays by itself has placed them already.
        self._sliders, self._fs = placed(sliders, decays=False), fs
        self._attenuations: dict[float, str] = {}
        self._used: set[str] = set()
        self.warnings: list[str] = []
        if len({address(slider.label) for slider in sliders.values()}) < len(sliders):
            labels = ", ".join(repr(slider.label) for slider in sliders.values())
            raise ControlError(f"two controls have the same address: labels {labels}")

    def attenuation(self, samples: float) -> str:
        """The operand that attenuates a delay of so many samples in a loop."""
        self._used.add("rt60")
        if samples not in self._attenuations:
            self._attenuations[samples] = f"k{len(self._attenuations)}"
        return self._attenuations[samples]

    @property
    def has_rt60(self) -> bool:
        """Whether loops are to be attenuated."""
        return "rt60" in self._sliders

    def delay_input(self, inputs: list[Value], builder: ProgramBuilder) -> list[Value]:
        """The inputs of the wet path.

        Args:
            inputs: [n_in], of the program.
            builder: gets the definitions.

        Returns:
            [n_in], delayed by the knob ``pre_delay`` where there is one.
        """
        if "pre_delay" not in self._sliders:
            return inputs
        self._used.add("pre_delay")
        builder.comment("pre-delay")
        return [
            (factor, builder.define("i", f"{operand}@pre_delay")) if factor else ZERO
            for factor, operand in inputs
        ]

    def mix(self, wet: list[Value], n_in: int, builder: ProgramBuilder) -> list[Value]:
        """The outputs, faded towards the inputs.

        Args:
            wet: [n_out], the outputs of the wet path.
            n_in: how many inputs the program has.
            builder: gets the definitions.

        Returns:
            [n_out], faded by the knob ``dry_wet`` where there is one.
        """
        if "dry_wet" not in self._sliders:
            return wet
        self._used.add("dry_wet")
        builder.comment("dry/wet")
        dry = _dry(len(wet), n_in)
        if None in dry:
            self.warnings.append(
                f"dry/wet: only the first {n_in} of {len(wet)} outputs have a dry part"
            )
        return [
            (
                1.0,
                builder.define(
                    "o", f"wet*{_operand(value)}" + (f"+dry*{source}" if source else "")
                ),
            )
            for value, source in zip(wet, dry, strict=True)
        ]

    def declarations(self) -> list[str]:
        """The definitions of the sliders and of what follows from them."""
        lines = _slider_lines({name: self._sliders[name] for name in self._used})
        if "dry_wet" in self._used:
            lines += [*_SMOOTHED_WET, "dry = 1.0-wet;"]
        if "pre_delay" in self._used:
            scale = self._fs / 1000
            longest = min(self._sliders["pre_delay"].max * scale, _MAX_PRE_DELAY_SAMPLES)
            lines.append(f"pre_delay = int(min({longest!r}, {scale!r}*slider_pre_delay+0.5));")
        if self._attenuations:
            lines += self._attenuation_lines(self._sliders["rt60"])
        return lines

    def _attenuation_lines(self, slider: Slider) -> list[str]:
        lines = ["// rt60: 10^(-3m/(fs*rt60)) for each delay of m samples"]
        by_rate = "/slider_rt60"
        if slider.neutral_end:
            lines[0] += ", 1 at the knob's right end"
            lines.append(f"rate_rt60 = (slider_rt60 < {neutral_above(slider)!r})/slider_rt60;")
            by_rate = "*rate_rt60"
        return lines + [
            f"{name} = exp({-3 * math.log(10) * samples / self._fs!r}{by_rate});"
            for samples, name in self._attenuations.items()
        ]

    def finish(self) -> None:
        """Note the controls that found nothing to act on."""
        if "rt60" in self._sliders and "rt60" not in self._used:
            self.warnings.append("rt60 left out: the model has no delay inside a recursion")


def _dry(n_out: int, n_in: int) -> list[str | None]:
    if n_in == 1:
        return ["x0"] * n_out
    if n_out == 1:
        return [f"({'+'.join(f'x{i}' for i in range(n_in))})*{1 / n_in!r}"]
    return [f"x{o}" if o < n_in else None for o in range(n_out)]


def _operand(value: Value) -> str:
    return term(value) if value[0] else "0.0"


def _slider_lines(sliders: Mapping[str, Slider]) -> list[str]:
    """Declarations in the order of the addresses.

    libfaust sorts its user interface by label, the plugin its slots by address, and the plugin
    swaps the ranges of sliders where the two orders differ. There the address is the label.
    """
    names = sorted(sliders, key=lambda name: address(sliders[name].label))
    labels = {name: _plain(sliders[name].label) + _unit(sliders[name]) for name in names}
    if sorted(names, key=labels.__getitem__) != names:
        labels = {name: address(sliders[name].label) for name in names}
    return [f"slider_{name} = {_declaration(labels[name], sliders[name])};" for name in names]


def _unit(slider: Slider) -> str:
    return f" [unit:{slider.unit}]" if slider.unit else ""


def _declaration(label: str, slider: Slider) -> str:
    numbers = ", ".join(
        repr(float(value))
        for value in (slider.init, slider.min, slider.max, slider.step)
        if value is not None
    )
    return f'hslider("{label}", {numbers})'
