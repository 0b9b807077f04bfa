"""Whether a program that would be written is safe in the plugin, found out by playing it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from cyfaust import cyfaust
from numpy.typing import NDArray

from faustwire_bridge.children.libfaust import CompiledProgram, compile_program

_RATES = (48_000, 44_100, 96_000)
# Of noise, with the knobs at rest, first at 48 kHz; and with one at an end.
_FIRST_SECONDS, _REST_SECONDS, _TURNED_SECONDS = 0.5, 0.2, 0.05
# Ten decibels above the limit of a gain: noise through a filter may peak above the filter's gain.
_LOUDEST = 10 ** (70 / 20)


def check(program: str, rng: np.random.Generator) -> None:
    """Check a program that would be written against what the plugin and ears need.

    It is played in single precision at three sampling rates, with its knobs at rest and each at
    both ends: silence, noise, silence, and a constant input.

    Args:
        program: Faust text.
        rng: for the noise.

    Raises:
        AssertionError: the plugin could not run it safely.
    """
    compiled = compile_program(program, name="live")
    assert compiled.n_out == 2, program
    assert compiled.n_in <= 2, program
    _check_sliders(program)
    for fs in _RATES:
        for knobs in _positions(compiled):
            at_rest = _FIRST_SECONDS if fs == _RATES[0] else _REST_SECONDS
            seconds = _TURNED_SECONDS if knobs else at_rest
            signal = _signal(rng, compiled.n_in, round(seconds * fs))
            heard = np.abs(compiled.render(signal, fs, sliders=knobs))
            assert heard.max(initial=0.0) <= _LOUDEST, (fs, knobs, heard.max(), program)


def _positions(compiled: CompiledProgram) -> Iterator[dict[str, float]]:
    yield {}
    for slider in compiled.sliders:
        yield {slider.address: slider.min}
        yield {slider.address: slider.max}


def _signal(rng: np.random.Generator, channels: int, samples: int) -> NDArray[np.float64]:
    silence = np.zeros((channels, samples // 8))
    noise = rng.uniform(-1, 1, (channels, samples))
    constant = np.full((channels, samples // 4), rng.choice([-1.0, 1.0]))
    return np.hstack([silence, noise, silence, constant])


def _check_sliders(program: str) -> None:
    """Ranges come in the order of the interface, values in that of addresses, as in the plugin."""

    def flat(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [leaf for item in items for leaf in flat(item.get("items", [])) or [item]]

    ui = json.loads(cyfaust.create_dsp_factory_from_string("live", program).get_json())["ui"]
    leaves = [item for item in flat(ui) if "address" in item]
    ranged = [item for item in leaves if not item["type"].endswith("bargraph")]
    values = dict(sorted({item["address"]: item for item in leaves}.items()))
    for one, other in zip(ranged, values.values(), strict=False):
        assert [one.get(key, key == "max") for key in ("init", "min", "max")] == [
            other.get(key, key == "max") for key in ("init", "min", "max")
        ], program
        assert not other["type"].endswith("bargraph"), program
