"""libfaust in a process of its own, made to fail in every way: real processes, real deadlines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bridges import alive, eventually
from compilers import answer, compiled, failed
from faustwire_bridge.children import compiler
from faustwire_bridge.children.child_process import Ended
from faustwire_bridge.children.compiler import Compiler, Failed, Missing
from faustwire_bridge.core.compile_report import Control
from hostile_programs import EATS, GOOD, GROWS, HANGS


@contextmanager
def started(**options: Any) -> Iterator[Compiler]:
    made = Compiler("live", **options)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def libfaust() -> Iterator[Compiler]:
    # What overflows a stack takes its time, and longer beside other work.
    with started(timeout=60.0) as made:
        yield made


def test_it_tells_channels_time_and_sliders_as_the_plugin_will_see_them(
    libfaust: Compiler,
) -> None:
    report = compiled(
        libfaust,
        'process = _*hslider("b [unit:x]", 0.5, 0, 2, 0.1)*button("a") <: _,vbargraph("c", -1, 1);',
    )
    assert (report.problem, report.n_in, report.n_out) == ("", 1, 2)
    assert 0 < report.seconds < 5
    assert report.controls == (
        Control("/live/a"),
        Control("/live/b", 0.5, 0.0, 2.0),
        Control("/live/c", 0.0, -1.0, 1.0, shows=True),
    )


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("process = nothing;", "undefined symbol"),
        ("process = (", "syntax error"),
        ("process = _ <: _,_ : +~_ : nix", "undefined symbol|syntax error"),
        ("process = 1/0,_;", "division by 0"),
        ("process = _@(-1),_;", "delay"),
        ("f(x) = f(x); process = f(1);", "stack overflow"),
    ],
)
def test_what_does_not_compile_comes_back_with_libfausts_own_words(
    libfaust: Compiler, program: str, problem: str
) -> None:
    import re

    assert re.search(problem, compiled(libfaust, program).problem)


def test_a_text_may_be_as_long_as_a_message(libfaust: Compiler) -> None:
    """Longer than any socket's buffer: it goes through a file, and shorter ones after it."""
    assert compiled(libfaust, f"//{'é' * 2**21}\n{GOOD}").problem == ""
    assert compiled(libfaust, GOOD).n_in == 2


def test_played_noise_tells_what_grows(libfaust: Compiler) -> None:
    assert compiled(libfaust, "process = *(0.5), *(2);", play=True).peak == pytest.approx(2, 0.01)
    assert compiled(libfaust, "process = 0.25 <: _,_;", play=True).peak == 0.25
    assert compiled(libfaust, "process = (+~*(1.5)), _;", play=True).peak == float("inf")
    assert compiled(libfaust, "process = log(_-2), _;", play=True).peak == float("inf")
    assert compiled(libfaust, GOOD).peak is None


@pytest.mark.parametrize("sign", ["", " : *(-1)"])
def test_what_grows_can_not_hide_behind_a_function(libfaust: Compiler, sign: str) -> None:
    """Exp is silent about what runs away to −∞, so noise is played both ways round."""
    program = f"process = _, (+ ~ *(1.36){sign} : exp);"
    assert compiled(libfaust, program, play=True).peak == float("inf")


def test_the_libraries_are_there_unless_the_plugin_has_none(libfaust: Compiler) -> None:
    program = 'import("stdfaust.lib"); process = fi.lowpass(2, 1000), _;'
    assert compiled(libfaust, program).problem == ""
    with started(libraries=False) as bare:
        assert "stdfaust.lib" in compiled(bare, program).problem
        assert compiled(bare, GOOD).problem == ""


def test_a_compile_that_hangs_is_stopped_at_its_deadline() -> None:
    with started(timeout=0.5) as asked:
        compiled(asked, GOOD)
        begun = time.monotonic()
        assert "not done after 0.5 s" in failed(asked, HANGS)
        assert time.monotonic() - begun < 0.5 + 1
        assert compiled(asked, GOOD).problem == ""


def test_a_compile_that_eats_memory_ends_at_its_limit() -> None:
    with started() as asked:
        assert "more than its 1024 MiB" in failed(asked, EATS)
        assert compiled(asked, GOOD).problem == ""


@pytest.mark.parametrize(
    "said",
    [
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "cannot allocate memory for thread-local data: ABORT",
        "MemoryError",
    ],
)
def test_whatever_says_that_memory_is_short_is_told_as_such(said: str) -> None:
    with started() as asked:
        assert "more than its 1024 MiB" in asked._explain(Ended(asked=True, code=127, said=said))


def test_a_compile_that_runs_out_of_memory_little_by_little_is_told_as_such() -> None:
    """One time in two there is none left to throw a C++ exception either."""
    with started(timeout=60.0, memory_bytes=450 * 2**20) as asked:
        for _ in range(3):
            assert "more than its 450 MiB" in failed(asked, GROWS)


def child(asked: Compiler) -> int:
    pid = asked._child.pid
    assert pid is not None
    return pid


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL])
def test_a_compile_that_takes_libfaust_down_is_told_and_the_next_one_works(
    number: signal.Signals,
) -> None:
    with started() as asked:
        compiled(asked, GOOD)
        asked.ask(HANGS, play=False)
        os.kill(child(asked), number)
        said = answer(asked)
        assert isinstance(said, Failed)
        assert number.name in said.problem
        assert compiled(asked, GOOD).problem == ""


def test_a_child_that_died_between_two_compiles_is_started_again() -> None:
    with started() as asked:
        compiled(asked, GOOD)
        os.kill(child(asked), signal.SIGKILL)
        eventually(lambda: asked.receive() is None and asked.fileno() is None, "it is noticed")
        assert compiled(asked, GOOD).problem == ""


def test_a_child_that_was_stopped_is_replaced_at_the_deadline() -> None:
    with started(timeout=0.5) as asked:
        compiled(asked, GOOD)
        os.kill(child(asked), signal.SIGSTOP)
        assert "not done" in failed(asked, GOOD)
        assert compiled(asked, GOOD).problem == ""


def test_nothing_is_left_behind() -> None:
    with started() as asked:
        compiled(asked, GOOD)
        pid = child(asked)
    assert not alive(pid)


def test_the_child_of_a_bridge_that_was_killed_ends_in_the_middle_of_a_compile() -> None:
    program = (
        "from faustwire_bridge.children.compiler import Compiler\n"
        "asked = Compiler('live', timeout=0.5)\n"
        f"asked.ask({HANGS!r}, play=False)\n"
        "print(asked._child.pid, flush=True)\n"
        "input()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    eventually(lambda: not alive(pid), "its own alarm ends it")


@pytest.fixture
def without_cyfaust(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """A machine without the wheel; called, it also has no program."""
    (tmp_path / "cyfaust.py").write_text("raise ImportError('no wheel here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path) + ":" + os.environ.get("PYTHONPATH", ""))

    def no_program() -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

    return no_program


def test_without_libfaust_it_says_what_to_install(without_cyfaust: Callable[[], None]) -> None:
    without_cyfaust()
    with started() as asked:
        asked.ask(GOOD, play=False)
        said = answer(asked)
        assert isinstance(said, Missing)
        assert "faustwire[faust]" in said.problem


def test_a_machine_without_libfaust_is_known_without_starting_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compiler.missing() is None
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "")
    assert "faustwire[faust]" in str(compiler.missing())


# What `faust -json` leaves, as Faust 2.83 writes it.
PROGRAM = """#!{python}
import json, sys
source = sys.argv[-1]
text = open(source).read()
if "process" not in text:
    sys.exit(sys.stderr.write("live.dsp:1 : ERROR : undefined symbol : process\\n") and 1)
slider = {{"type": "hslider", "address": "/live/a", "init": 0.5, "min": 0, "max": 1, "step": 0.1}}
described = {{"inputs": 2, "outputs": 2, "ui": [{{"type": "vgroup", "items": [slider]}}]}}
if "import" in text:
    described["library_list"] = ["/usr/share/faust/stdfaust.lib"]
json.dump(described, open(source + ".json", "w"))
"""


def test_the_faust_program_on_the_path_stands_in_for_the_wheel(
    without_cyfaust: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "faust"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with started(libraries=False) as asked:
        report = compiled(asked, GOOD, play=True)
        assert (report.n_in, report.n_out, report.peak) == (2, 2, None)
        assert report.controls == (Control("/live/a", 0.5, 0.0, 1.0),)
        assert report.seconds > 0
        assert "undefined symbol" in compiled(asked, "x = 1;").problem
        assert "libraries" in compiled(asked, 'import("stdfaust.lib"); process = _,_;').problem
