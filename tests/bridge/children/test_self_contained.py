"""What is written of text of one's own looks nothing up; and libfaust sees what the plugin sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridges import eventually
from faustwire_bridge.children import libfaust
from faustwire_bridge.children.compiler import Answer, Compiler
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.program_imports import imports_something

PROGRAMS = {
    "filter": 'process = fi.lowpass(3, hslider("cut[unit:Hz]", 1000, 20, 20000, 1)), _;',
    "reverb": "process = dm.freeverb_demo;",
    "tables": "process = os.osc(440), os.sawtooth(220) : _*0.1, _*0.1;",
    "noise": "process = no.pink_noise, no.noise;",
    "groups": 'process = tgroup("t", vgroup("[1]b", hslider("[0]x[style:knob]", 0, 0, 1, 0.1)), '
    'hgroup("[0]a", nentry("y [tooltip: it]", 0, 0, 1, 0.1)));',
    "bargraph": 'process = _ <: attach(_, abs : ba.linear2db : hbargraph("lvl", -60, 0)), _;',
    "foreign": 'process = ffunction(float sinhf|sinh|sinhl(float), <math.h>, "") <: _, _;',
    "constants": "process = _*0.1234567890123, _*1e-30;",
}


@contextmanager
def compiler() -> Iterator[Compiler]:
    made = Compiler("live", timeout=20.0)
    try:
        yield made
    finally:
        made.close()


def answer(asked: Compiler, program: str) -> Answer:
    asked.ask(program, play=False, thorough=True)
    answers: list[Answer] = []

    def answered() -> bool:
        got = asked.receive()
        answers.extend([] if got is None else [got])
        return got is not None

    eventually(answered, "libfaust answers")
    return answers[0]


def report(asked: Compiler, program: str) -> Report:
    found = answer(asked, program)
    assert isinstance(found, Report), found
    return found


@pytest.fixture(scope="module")
def asked() -> Iterator[Compiler]:
    with compiler() as made:
        yield made


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_imports_is_written_with_what_it_imports(asked: Compiler, name: str) -> None:
    program = f'import("stdfaust.lib");\n{PROGRAMS[name]}'
    expanded = report(asked, program)
    assert expanded.problem == ""
    assert not imports_something(expanded.program)
    assert "library_path" not in expanded.program
    assert os.fspath(Path(sys.prefix)) not in expanded.program
    before, after = libfaust.compile_program(program), libfaust.compile_program(expanded.program)
    assert before.sliders == after.sliders
    assert (before.n_in, before.n_out) == (after.n_in, after.n_out)
    heard = [each.impulse_response(2000, 48_000) for each in (before, after)]
    assert (heard[0] == heard[1]).all()


def test_a_program_that_imports_nothing_is_written_as_it_is(asked: Compiler) -> None:
    assert report(asked, "// important\nprocess = _,_;").program == ""


def test_what_does_not_compile_is_told_in_libfausts_words(asked: Compiler) -> None:
    found = report(asked, 'import("stdfaust.lib"); process = fi.nothing;')
    assert "nothing" in found.problem


def test_what_a_long_program_imports_is_checked_here_and_not_in_the_bridge(asked: Compiler) -> None:
    """The control: libfaust is not asked, and what may be imported is."""
    long = "process = _,_;" + " " * 2**14
    found = report(asked, f'import("/etc/hostname"); {long}')
    assert found.forbidden
    assert 'import("/etc/hostname"…) is refused' in found.problem
    assert not report(asked, f'import("stdfaust.lib"); {long}').problem


def test_a_library_in_the_bridges_folder_or_library_path_is_none_of_the_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin has neither; to it the program would not compile, and its host would crash."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, name in ((here, "mine"), (there, "theirs"), (here, "stdfaust")):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.lib").write_text("gone = _*0.5;\n")
    monkeypatch.chdir(here)
    monkeypatch.setenv("FAUST_LIB_PATH", os.fspath(there))
    with compiler() as asked:
        for name in ("mine", "theirs"):
            found = report(asked, f'import("{name}.lib"); process = gone, gone;')
            assert f"{name}.lib" in found.problem
            assert seen(name), "the control: libfaust in this folder and environment finds it"
        own = report(asked, 'import("stdfaust.lib"); process = gone, gone;')
        assert "gone" in own.problem, "Faust's own library, not one of that name here"


def seen(name: str) -> bool:
    """Whether libfaust finds a library from this process's folder and environment."""
    code = (
        "import json, sys; from cyfaust import cyfaust\n"
        "made = cyfaust.create_dsp_factory_from_string('x', sys.argv[1])\n"
        "print(json.dumps(made is not None))"
    )
    program = f'import("{name}.lib"); process = gone, gone;'
    run = subprocess.run(
        [sys.executable, "-c", code, program], capture_output=True, text=True, check=True
    )
    return bool(json.loads(run.stdout.splitlines()[-1]))
