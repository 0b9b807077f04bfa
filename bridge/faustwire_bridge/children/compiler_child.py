"""The process in which libfaust compiles: it may abort, hang or eat memory there.

Started by ``compiler`` as a file, not as a module, so that it is ready at once: of faustwire it
imports only ``cyfaust_wheel`` and what plays, and not numpy. It ends when the bridge's end of its
socket closes.

    python compiler_child.py CONTROL_FD TEXT_FD EXPANDED_FD MEMORY_BYTES LIBRARIES(0|1) MAX_LOAD

One JSON object a line: first ``{"ready": "cyfaust 2.83.1"}`` or ``{"missing": why}``; then for each
request ``{"size": bytes of the text, "name": …, "play": bool, "thorough": bool, "seconds":
deadline}`` the fields of ``core.compile_report.Report``. What is heavier than MAX_LOAD is not
played; how the others are played is written in ``player``. Of a thorough request's text, what it
imports is written into it; then ``size`` is that of the text in EXPANDED_FD, which everything else
is said of.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The modules beside this file must not hide others of the same name.
del sys.path[0]
from faustwire_bridge.children import cyfaust_wheel, player  # noqa: E402
from faustwire_bridge.children.child_process import write_whole  # noqa: E402
from faustwire_bridge.children.play_plan import FS  # noqa: E402
from faustwire_bridge.children.play_signal import buffers  # noqa: E402
from faustwire_bridge.core.program_imports import (  # noqa: E402
    MAX_EXPANDED,
    imports_something,
    problem_of_long,
)

# What it says for people; libfaust quotes the offending expression, however long it is.
_MAX_PROBLEM = 600
_TOO_LONG = f"with what it imports the program has more than {MAX_EXPANDED} characters"
# The plugin's block, and of how many the cost of running is taken: 0.1 s, so that a program at the
# limit takes less than a tenth of a second to measure.
_PLUGIN_BLOCK = 128
_LOAD_BLOCKS = 38
# Parts of it that are measured on their own: the least is nearest to what an idle machine takes.
_LOAD_PARTS = 3

# Takes the text and the request.
_Compile = Callable[[str, dict[str, Any]], dict[str, Any]]


def main() -> None:
    """Answer requests until there are no more."""
    control_fd, text_fd, expanded_fd, memory_bytes, libraries = map(int, sys.argv[1:6])
    # The plugin sees neither; a library that only lies here would crash it.
    os.environ.pop("FAUST_LIB_PATH", None)
    # Ctrl-C in the bridge's terminal is for the bridge.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    try:
        version, compile_program = _backend(libraries=bool(libraries), max_load=float(sys.argv[6]))
    except ImportError as problem:
        _send(control, {"missing": str(problem)})
        return
    os.chdir("/")
    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    _send(control, {"ready": version})
    with control.makefile("r") as requests:
        for request in requests:
            wanted = json.loads(request)
            text = os.pread(text_fd, wanted["size"], 0).decode()
            # Should the bridge be killed meanwhile, nobody else ends a compile that hangs.
            signal.setitimer(signal.ITIMER_REAL, wanted["seconds"] + 1)
            # What the bridge has not looked at itself, for it has others to answer.
            forbidden = problem_of_long(text) if wanted["thorough"] else None
            answer: dict[str, Any] = {"problem": forbidden, "forbidden": True}
            if forbidden is None:
                answer = compile_program(text, wanted)
            if "program" in answer:
                expanded = answer.pop("program").encode()
                write_whole(expanded_fd, expanded)
                answer["size"] = len(expanded)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(control, answer)


def _send(control: socket.socket, answer: dict[str, Any]) -> None:
    control.sendall(json.dumps(answer).encode() + b"\n")


def _backend(*, libraries: bool, max_load: float) -> tuple[str, _Compile]:
    try:
        cyfaust = cyfaust_wheel.load(libraries=libraries)
    except ImportError:
        if shutil.which("faust") is None:
            raise
        return "faust", _Program(libraries=libraries).compile
    return f"cyfaust {cyfaust.get_version()}", _Library(cyfaust, max_load).compile


class _Library:
    """libfaust itself, with the plugin's backend: an interpreter of single precision."""

    def __init__(self, cyfaust: Any, max_load: float) -> None:
        self._cyfaust = cyfaust
        self._max_load = max_load

    def compile(self, text: str, wanted: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + wanted["seconds"]
        expanded = {}
        if wanted["thorough"] and imports_something(text):
            found, said = cyfaust_wheel.expand(self._cyfaust, text, wanted["name"])
            if found is None or len(found) > MAX_EXPANDED:
                return _refusal(said if found is None else _TOO_LONG)
            text, expanded = found, {"program": found}
        begun = time.process_time()
        factory, said = cyfaust_wheel.create_factory(self._cyfaust, text, wanted["name"])
        if factory is None:
            return _refusal(said)
        program = factory.create_dsp_instance()
        program.init(FS)
        seconds = time.process_time() - begun
        described = json.loads(factory.get_json())
        channels = described["inputs"], described["outputs"]
        load = _load(program, *channels)
        answer = _description(described, seconds) | expanded | {"load": load}
        if not wanted["play"] or load > self._max_load:  # too heavy to run is too heavy to play
            return answer
        if wanted["thorough"]:
            return answer | player.play(program, channels, answer["controls"], deadline, load)
        return answer | player.play_briefly(program, channels)


class _Program:
    """The ``faust`` program, where there is no wheel; it can't play."""

    def __init__(self, *, libraries: bool) -> None:
        self._libraries = libraries

    def compile(self, text: str, wanted: dict[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, f"{wanted['name']}.dsp")
            source.write_text(text)
            expanded = {}
            if wanted["thorough"] and imports_something(text):
                result = _run(folder, "-e", "-O", folder, "-o", "expanded.dsp", str(source))
                if result.returncode:
                    return _refusal(result.stderr)
                text = cyfaust_wheel.without_origin(
                    Path(folder, "expanded.dsp").read_text(), wanted["name"]
                )
                source.write_text(text)
                expanded = {"program": text}
            begun = _children_seconds()
            result = _run(folder, "-json", "-O", folder, "-o", "program.cpp", str(source))
            seconds = _children_seconds() - begun
            if result.returncode:
                return _refusal(result.stderr)
            described = json.loads(Path(f"{source}.json").read_text())
        needed = described.get("library_list")
        if needed and not self._libraries:
            return _refusal(f"ERROR : the plugin's machine has no Faust libraries: {needed[0]}")
        return _description(described, seconds) | expanded


def _run(folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        ["faust", *arguments],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _refusal(said: str) -> dict[str, Any]:
    # An assertion of libfaust's comes with a stack trace.
    words = said.partition("Stack trace")[0] if "ASSERT" in said else said
    return {"problem": " ".join(words.split())[:_MAX_PROBLEM] or "libfaust said nothing but no"}


def _description(described: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "n_in": int(described["inputs"]),
        "n_out": int(described["outputs"]),
        "controls": list(_controls(described["ui"])),
    }


def _controls(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "items" in item:
            yield from _controls(item["items"])
            continue
        control: dict[str, Any] = {"address": item["address"]}
        if item["type"].endswith("bargraph"):
            control["shows"] = True
        control |= {key: float(item[key]) for key in ("init", "min", "max") if key in item}
        yield control


def _load(program: Any, n_in: int, n_out: int) -> float:
    """The processor time that a second of sound takes, in blocks of the plugin's size.

    Measured on noise, after a first block that touches all memory.
    """
    source, result = buffers(n_in, _PLUGIN_BLOCK), buffers(n_out, _PLUGIN_BLOCK)
    if n_in:
        dice = random.Random(0)  # noqa: S311
        noise = array("f", (dice.uniform(-1.0, 1.0) for _ in range(n_in * _PLUGIN_BLOCK)))
        source.cast("B")[:] = noise.tobytes()
    program.compute(_PLUGIN_BLOCK, source, result)
    blocks = _LOAD_BLOCKS // _LOAD_PARTS
    least = math.inf
    for _ in range(_LOAD_PARTS):
        begun = time.process_time()
        for _ in range(blocks):
            program.compute(_PLUGIN_BLOCK, source, result)
        least = min(least, time.process_time() - begun)
    return least / (blocks * _PLUGIN_BLOCK / FS)


if __name__ == "__main__":
    main()
