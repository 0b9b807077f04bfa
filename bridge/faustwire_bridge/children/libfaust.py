"""libfaust, the compiler inside the plugin, through the wheel cyfaust: compile, render.

It is optional (``pip install 'faustwire[faust]'``) and imported on first use. Some programs abort
the process (assertions in libfaust), so whoever compiles text that it did not write itself does it
in a child process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faustwire.errors import FaustwireError
from faustwire_bridge.children import cyfaust_wheel


class CompileError(FaustwireError):
    """libfaust is not there, or refuses the program; the text is libfaust's own."""


@dataclass(frozen=True)
class FaustSlider:
    """One slider as the compiled program reports it.

    Attributes:
        address: ``/<program>/<label>`` with Faust's replacements of characters.
        label: as written, without metadata.
        init, min, max, step: in the slider's unit.
        unit: the text of its ``[unit:…]``, or empty.
    """

    address: str
    label: str
    init: float
    min: float
    max: float
    step: float
    unit: str


class CompiledProgram:
    """A program in libfaust's interpreter.

    Attributes:
        double: whether it computes in float64; the plugin computes in float32.
        n_in, n_out: its channels.
        sliders: in the order of its user interface.
    """

    def __init__(self, text: str, name: str, *, double: bool) -> None:
        self._text, self._name = text, name
        # An instance dies with its factory, so the factory is kept.
        self._factory = _factory(text, name, double=double)
        self._dsp = self._factory.create_dsp_instance()
        self._dsp.init(48_000)
        self.double = double
        self.n_in: int = self._dsp.get_numinputs()
        self.n_out: int = self._dsp.get_numoutputs()
        self.sliders = tuple(_sliders(json.loads(self._factory.get_json())["ui"]))

    def render(
        self, x: ArrayLike, fs: float, *, sliders: Mapping[str, float] | None = None
    ) -> NDArray[np.float64]:
        """Run the program from a fresh state.

        Args:
            x: [n_in, samples], the input; without inputs, [0, samples].
            fs: sampling rate in Hz; libfaust takes whole ones.
            sliders: values by label or address, held from the first sample on; the others have
                their initial ones.

        Returns:
            [n_out, samples].

        Raises:
            KeyError: no such slider.
        """
        if sliders and self.double:
            return self._with_initial(sliders).render(x, fs)
        source = np.ascontiguousarray(x, dtype=np.float64 if self.double else np.float32)
        if source.ndim != 2 or source.shape[0] != self.n_in:
            raise ValueError(f"x is [{self.n_in}, samples], not {list(source.shape)}")
        self._dsp.init(round(fs))
        for key, value in (sliders or {}).items():
            self._dsp.set_param(self._slider(key).address, value)
        return self._compute(source).astype(np.float64)

    def impulse_response(
        self, samples: int, fs: float, *, sliders: Mapping[str, float] | None = None
    ) -> NDArray[np.float64]:
        """The response of every output to a unit impulse at every input.

        Args:
            samples: how long, from the impulse on.
            fs: sampling rate in Hz.
            sliders: values by label or address.

        Returns:
            [n_out, n_in, samples]; each input is asked alone, from a fresh state.
        """
        if sliders and self.double:
            return self._with_initial(sliders).impulse_response(samples, fs)
        responses = np.zeros((self.n_out, self.n_in, samples))
        for channel in range(self.n_in):
            impulse = np.zeros((self.n_in, samples))
            impulse[channel, 0] = 1.0
            responses[:, channel] = self.render(impulse, fs, sliders=sliders)
        return responses

    def _compute(self, source: NDArray[Any]) -> NDArray[Any]:
        output = np.zeros((self.n_out, source.shape[1]), dtype=source.dtype)
        # cyfaust's memoryviews are float32 whatever libfaust writes: with -double a float32 array
        # would be overrun, so the doubles travel disguised.
        self._dsp.compute(source.shape[1], source.view(np.float32), output.view(np.float32))
        return output

    def _with_initial(self, values: Mapping[str, float]) -> CompiledProgram:
        """Other initial values instead: cyfaust's set_param writes float32 into doubles."""
        text = self._text
        for key, value in values.items():
            label = re.escape(self._slider(key).label)
            text = re.sub(
                rf'((?:hslider|vslider|nentry)\(\s*"(?:\[[^"\]]*\]|\s)*{label}(?:\s*\[[^"]*)?"\s*,)[^,]*',
                rf"\g<1> {value!r}",
                text,
            )
        return CompiledProgram(text, self._name, double=True)

    def _slider(self, key: str) -> FaustSlider:
        for slider in self.sliders:
            if key in (slider.address, slider.label):
                return slider
        known = ", ".join(slider.label for slider in self.sliders) or "none"
        raise KeyError(f"no slider {key!r}; there are: {known}")


def compile_program(text: str, *, double: bool = False, name: str = "program") -> CompiledProgram:
    """Compile Faust text with the plugin's options, for the interpreter.

    Args:
        text: the program.
        double: compute in float64 instead of the plugin's float32.
        name: what the program is called; the top of its sliders' addresses, as in the plugin the
            stem of the ``.dsp`` is.

    Returns:
        The program, ready to run.

    Raises:
        CompileError: cyfaust is not installed, or libfaust refuses the program.
    """
    return CompiledProgram(text, name, double=double)


def version() -> str:
    """The version of libfaust.

    Raises:
        CompileError: cyfaust is not installed.
    """
    return str(_cyfaust().get_version())


@cache
def _cyfaust() -> Any:
    try:
        return cyfaust_wheel.load()
    except ImportError as error:
        raise CompileError(
            f"libfaust is not available ({error}): pip install 'faustwire[faust]'"
        ) from error


def _factory(text: str, name: str, *, double: bool) -> Any:
    cyfaust = _cyfaust()
    if not text.strip():
        raise CompileError("the program is empty")
    options = ["-double"] if double else []
    factory, said = cyfaust_wheel.create_factory(cyfaust, text, name, *options)
    if factory is None:
        raise CompileError(said.strip() or "libfaust refused the program without a message")
    return factory


def _sliders(items: list[dict[str, Any]]) -> Iterator[FaustSlider]:
    for item in items:
        if "items" in item:
            yield from _sliders(item["items"])
        elif item["type"] in ("hslider", "vslider", "nentry"):
            units = [entry["unit"] for entry in item.get("meta", []) if "unit" in entry]
            values = {key: float(item[key]) for key in ("init", "min", "max", "step")}
            yield FaustSlider(item["address"], item["label"], unit="".join(units), **values)
