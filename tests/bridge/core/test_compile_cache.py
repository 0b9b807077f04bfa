"""The gates one by one: structures, what fits the plugin, what is remembered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from faustwire.controls import sliders
from faustwire.fingerprint import fingerprint
from faustwire.graph import Gain
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import generate
from faustwire_bridge.core.compile_cache import MAX_KNOWN, CompileCache
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.plugin_limits import check_plugin_limits, control_warnings
from faustwire_bridge.core.program_structure import structure
from random_graphs import graphs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 0.25*x0;", "a = -7.5e-05*x0;"),
        ("a = b+0.25*x0;", "a = b-0.5*x0;"),
        ("a = b+0.25*x0;", "a = b+-0.5*x0;"),
        ("a = x0@7*1e-20;", "a = x0@7*2.5e+16;"),
        ("// 3 lines\na = x0;", "// 4 lines, 0.5\na = x0;"),
        ("k0 = exp(-0.14/slider_rt60);", "k0 = exp(-0.15/slider_rt60);"),
    ],
)
def test_constants_and_comments_are_not_structure(one: str, other: str) -> None:
    assert structure(f"{one}\n") == structure(f"{other}\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = x0@7;", "a = x0@8;"),
        ("a = 0.5*x0;", "a = 0.5*x1;"),
        ("a = 0.5*x0;", "a = 0.5*x0+0.5*x1;"),
        ("a = 0.5/x0;", "a = 0.0/x0;"),
        ("a = x0/0.5;", "a = x0/0.0;"),
        ("a = 0.5*x0;", "a = 1.0*x0;"),
        ('s = hslider("a", 0.5, 0.0, 1.0, 0.1);', 's = hslider("a", 0.25, 0.0, 1.0, 0.1);'),
        ('s = hslider("//", 0.5, 0.0, 1.0, 0.1);', 's = hslider("//", 0.5, 0.0, 1.5, 0.1);'),
        ("p = int(min(12000.0, 48.0*s+0.5));", "p = int(min(24000.0, 48.0*s+0.5));"),
        ("d12.5 = x0;", "d13.5 = x0;"),
    ],
)
def test_whatever_libfaust_may_stumble_over_is_structure(one: str, other: str) -> None:
    assert structure(f"{one}\n") != structure(f"{other}\n")


@pytest.mark.parametrize("one_is_in_it", [False, True])
def test_the_structure_of_an_example_is_that_of_the_text(one_is_in_it: bool) -> None:
    matrix = np.random.default_rng(3).normal(size=(5, 5))
    matrix[2, 3] = -1.0 if one_is_in_it else 0.25
    program, later = (generate(Gain("g", scale * matrix), fs=48_000) for scale in (1.0, 2.0))
    assert (program.example == later.example) is not one_is_in_it
    assert structure(program.example) == structure(program.text)
    assert structure(later.example) == structure(later.text)


def test_texts_and_structures_are_never_mistaken_for_each_other() -> None:
    known: CompileCache[str] = CompileCache()
    known.put(fingerprint("process = _,_;\n"), "this very text")
    assert known.get(structure("process = _,_;\n"), 0.0) is None


@settings(max_examples=25, deadline=None)
@given(graph=graphs())
def test_what_the_code_generator_writes_fits_the_plugin(graph: object) -> None:
    program = generate(
        graph,  # type: ignore[arg-type]
        fs=48000,
        controls=sliders(dict.fromkeys(("rt60", "dry_wet", "pre_delay"), True)),
    )
    compiled = compile_program(program.text, name="live")
    controls = tuple(Control(s.address, s.init, s.min, s.max) for s in compiled.sliders)
    report = Report(n_in=compiled.n_in, n_out=compiled.n_out, controls=controls)
    assert check_plugin_limits(report) is None
    assert control_warnings(report, controls) == []


A = Control("/live/a", 0.5, 0.0, 1.0)
B = Control("/live/b", 440.0, 20.0, 20000.0)
METER = Control("/live/b", 0.0, -70.0, 6.0, shows=True)


@pytest.mark.parametrize(
    ("controls", "fits"),
    [
        ((), True),
        ((A, B), True),
        ((B, A), False),
        ((A, A), True),
        ((A, Control(A.address, 1.0, 0.0, 2.0)), False),
        ((A, METER), True),
        ((METER, Control("/live/c", 0.5, 0.0, 2.0)), False),
        ((METER,), True),
        # The order differs, the ranges don't: nothing is swapped.
        ((Control("/live/b"), Control("/live/a")), True),
    ],
)
def test_ranges_that_the_plugin_would_swap_are_refused(
    controls: tuple[Control, ...], fits: bool
) -> None:
    problem = check_plugin_limits(Report(n_in=2, n_out=2, controls=controls))
    assert (problem is None) is fits
    if problem:
        assert "ASCII order" in problem.detail


def test_more_sliders_than_slots_are_told() -> None:
    controls = tuple(Control(f"/live/{chr(97 + i)}") for i in range(13))
    assert control_warnings(Report(controls=controls[:12]), ()) == []
    assert "12 slots" in control_warnings(Report(controls=controls), ())[0]


def test_the_answers_asked_for_last_are_remembered_some_for_a_while() -> None:
    known: CompileCache[int] = CompileCache()
    known.put(b"always", 1)
    known.put(b"a while", 2, until=10.0)
    assert [known.get(b"always", 9.9), known.get(b"a while", 9.9)] == [1, 2]
    assert known.get(b"a while", 10.0) is None
    for number in range(MAX_KNOWN - 1):
        known.put(str(number).encode(), number)
    assert known.get(b"always", 0.0) == 1
    known.put(b"one more", 3)
    assert known.get(b"0", 0.0) is None
    assert known.get(b"always", 0.0) == 1
