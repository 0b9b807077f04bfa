"""libfaust through cyfaust, with its traps closed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from faustwire_bridge.children import libfaust
from faustwire_bridge.children.libfaust import CompileError, compile_program

ECHO = 'process = _ <: _,@(3)*hslider("gain [unit:x]", 0.5, 0, 2, 0.1);'


def test_a_program_reports_its_channels_and_sliders() -> None:
    program = compile_program(ECHO, name="echo")
    assert (program.n_in, program.n_out) == (1, 2)
    slider = program.sliders[0]
    assert (slider.address, slider.label, slider.unit) == ("/echo/gain", "gain", "x")
    assert (slider.init, slider.min, slider.max, slider.step) == (0.5, 0, 2, 0.1)


@pytest.mark.parametrize("double", [False, True])
def test_every_response_starts_from_a_fresh_state(double: bool) -> None:
    program = compile_program(ECHO, double=double)
    for gain in (0.5, 1.5):
        response = program.impulse_response(5, 48_000, sliders={"gain": gain})
        assert response.tolist() == [[[1, 0, 0, 0, 0]], [[0, 0, 0, gain, 0]]]
    assert program.impulse_response(5, 48_000)[1, 0, 3] == 0.5


def test_double_precision_is_double() -> None:
    third = np.full((1, 4), 1 / 3)
    text = "process = *(1/3);"
    assert (compile_program(text, double=True).render(third, 48_000) == third / 3).all()
    single = compile_program(text).render(third, 48_000)
    assert 0 < np.abs(single - third / 3).max() < 1e-7


def test_sources_without_input_render_too() -> None:
    rendered = compile_program("process = 1, 2;").render(np.zeros((0, 3)), 48_000)
    assert rendered.tolist() == [[1, 1, 1], [2, 2, 2]]


@pytest.mark.parametrize("text", ["", "\n", "process = nothing;", "process = ("])
def test_what_does_not_compile_says_why(text: str) -> None:
    with pytest.raises(CompileError, match=r"empty|undefined symbol : nothing|syntax"):
        compile_program(text)


def test_wrong_inputs_and_sliders_are_named() -> None:
    program = compile_program(ECHO)
    with pytest.raises(ValueError, match=r"\[1, samples\]"):
        program.render(np.zeros((2, 4)), 48_000)
    with pytest.raises(KeyError, match="there are: gain"):
        program.render(np.zeros((1, 4)), 48_000, sliders={"volume": 1})


def test_without_cyfaust_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyfaust", None)
    libfaust._cyfaust.cache_clear()
    with pytest.raises(CompileError, match=r"faustwire\[faust\]"):
        compile_program(ECHO)
    libfaust._cyfaust.cache_clear()
