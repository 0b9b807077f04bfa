"""A program that was sent makes nobody open a file or an address."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core_by_hand import Bridge
from faustwire.messages import OwnProgram, Reason, Verdict
from faustwire_bridge.core import events
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.program_imports import LIBRARIES, import_problem, problem_of_long

PROCESS = "process = _,_;"


@pytest.mark.parametrize(
    "program",
    [
        'import("http://elsewhere/x.lib");',
        'import("/etc/passwd");',
        'import("../stdfaust.lib");',
        'import("file:///etc/passwd");',
        'import("stdfaust.lib"); import("mine.lib");',
        'import ( /* " */ "mine.lib" );',
        'import// "stdfaust.lib"\n("mine.lib");',
        '/* "*/ import("mine.lib"); // "',
        '// /*\nimport("mine.lib"); /* */',
        'declare name "// "; import("mine.lib");',
        'declare name "/*"; import("mine.lib"); declare author "*/";',
        'x = library("mine.lib");',
        'x = component("other.dsp");',
        "x = 0 : soundfile(\"s[url:{'http://elsewhere/a.wav'}]\", 1);",
        '<mdoc> " </mdoc> import("mine.lib");',
        "import",
        'import"stdfaust.lib"',
        '1import("mine.lib");',
        'éimport("mine.lib");',
    ],
)
def test_what_would_be_looked_up_is_refused(program: str) -> None:
    bridge = Bridge()
    verdict = bridge.worker().publish(f"{program}\n{PROCESS}")
    assert verdict.reason is Reason.REFUSED
    assert "import" in verdict.detail


@pytest.mark.parametrize(
    "program",
    [
        "",
        'import("stdfaust.lib");',
        'fi = library("filters.lib");',
        'x = library /* why */ ( "maths.lib" );',
        '// import("mine.lib");',
        '/* import("mine.lib"); */',
        'declare name "import(";',
        "important = 1; reimport = 2; my_library = 3;",
    ],
)
def test_fausts_own_libraries_and_mere_words_are_not(program: str) -> None:
    assert import_problem(f"{program}\n{PROCESS}") is None
    assert Bridge().worker().publish(f"{program}\n{PROCESS}").published


def test_the_libraries_that_libfaust_brings_are_known() -> None:
    cyfaust = pytest.importorskip("cyfaust")
    [folder] = cyfaust.__path__
    brought = {path.name for path in Path(folder).rglob("*.lib")}
    if not brought:
        pytest.skip("this libfaust brings none")
    assert brought >= {"stdfaust.lib"}
    assert {"stdfaust.lib", "filters.lib", "delays.lib", "oscillators.lib"} <= LIBRARIES & brought


def test_a_long_program_that_imports_is_not_searched_for_ever() -> None:
    """A million parentheses would take the bridge, and everybody who waits, most of a second."""
    long = "process = " + "(" * 2**20
    problem = import_problem(f'{long}\nimport("stdfaust.lib");')
    assert problem is not None
    assert "262144 characters" in problem
    assert import_problem(long) is None


@pytest.mark.parametrize("word", ["import", "important"])
def test_a_long_text_takes_nobody_elses_time(word: str) -> None:
    """A quarter of a million words took the bridge, and everybody who waits, 60 ms each time."""
    bridge = Bridge()
    bridge.compiled = None
    worker = bridge.worker()
    text = f'{word}("mine.lib");' + "1" * (2**18 - 100) + PROCESS
    begun = time.thread_time()
    for _ in range(8):
        worker.seq += 1
        assert worker.take(OwnProgram(worker.seq, text)) == []
        bridge.compiled = events.Compiled(Report(problem="why", forbidden=True))
        [send] = bridge.take(bridge.compiled)
        assert isinstance(send.message, Verdict)
        assert (send.message.reason, send.message.detail) == (Reason.REFUSED, "why")
        bridge.compiled = None
        text += "1"
    assert time.thread_time() - begun < 0.2
    assert len(bridge.compiles) == 8
    assert bool(problem_of_long(text)) is (word == "import"), "the process of libfaust looks at it"


def test_without_libfaust_a_long_text_that_may_import_is_not_written() -> None:
    bridge = Bridge()
    bridge.compiled = events.Unchecked("there is no libfaust")
    long = PROCESS + "1" * 2**14
    assert bridge.worker().publish(f"// import\n{long}").reason is Reason.REFUSED
    assert bridge.worker("bert").publish(long).published


def test_without_libfaust_a_program_that_imports_is_not_written() -> None:
    """The plugin would look it up again; one that imports nothing is written, with a warning."""
    bridge = Bridge()
    bridge.compiled = events.Unchecked("there is no libfaust")
    verdict = bridge.worker().publish(f'import("stdfaust.lib");\n{PROCESS}')
    assert verdict.reason is Reason.REFUSED
    assert "there is no libfaust" in verdict.detail
    assert bridge.worker("bert").publish(f"// import\n{PROCESS}").published


def test_what_libfaust_has_expanded_is_written_and_compared_with_what_plays() -> None:
    bridge = Bridge()
    bridge.compiled = events.Compiled(Report(program=PROCESS))
    anna = bridge.worker()
    assert anna.publish(f'import("stdfaust.lib");\n{PROCESS}').published
    assert bridge.writes[-1].program == PROCESS
    again = anna.publish(f'import("maths.lib");\n{PROCESS}')
    assert again.reason is Reason.UNCHANGED
    assert anna.publish(PROCESS).reason is Reason.UNCHANGED


def test_comments_that_are_never_closed_take_no_longer() -> None:
    """Each was searched for its end, and nobody had an answer meanwhile."""
    program = f'import("stdfaust.lib"); {PROCESS}' + "/* " * 2**14
    begun = time.thread_time()
    assert import_problem(program) is None
    assert time.thread_time() - begun < 0.5


def test_what_begins_in_an_open_comment_is_none_of_libfausts_business() -> None:
    assert import_problem(f'{PROCESS} /* import("mine.lib");') is None


def test_text_behind_a_null_character_is_refused_for_nobody_checks_it() -> None:
    worker = Bridge().worker()
    verdict = worker.publish(f"{PROCESS}\0 process = 1/0;")
    assert verdict.reason is Reason.REFUSED
    assert "null character" in verdict.detail
    assert worker.publish(PROCESS).published
