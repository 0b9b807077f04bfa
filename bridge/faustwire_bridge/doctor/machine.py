"""This machine: Python, packages, libfaust."""

from __future__ import annotations

import platform
import select
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version

import zmq

from faustwire_bridge.children.compiler import INSTALL, Answer, Compiler, Failed, Missing, missing
from faustwire_bridge.doctor.finding import OK, PROBLEM, WARNING, Finding, Subject

_PACKAGES = ("pyzmq", "msgpack", "numpy", "mcap", "rich")
_TRAINING = ("torch", "flamo")
_PROGRAM = "process = _ * 0.5, _ * 0.5;\n"


def packages(_: Subject) -> Iterator[Finding]:
    """Python and what was installed with faustwire."""
    found = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    yield Finding(
        OK,
        f"faustwire {_version('faustwire')} on Python {platform.python_version()}, with {found}, "
        f"libzmq {zmq.zmq_version()}",
    )
    training = ", ".join(f"{name} {_version(name)}" for name in _TRAINING)
    if "missing" in training:
        yield Finding(OK, f"{training}: this machine can run a bridge, but no training")
    else:
        yield Finding(OK, f"for training: {training}")
    if not zmq.has("curve"):
        yield Finding(
            WARNING,
            "this libzmq can't encrypt, so keys can't be used",
            "install pyzmq's own wheel: pip install --force-reinstall pyzmq",
        )


def libfaust(subject: Subject) -> Iterator[Finding]:
    """The compiler that checks programs before they are written; asked in its own process."""
    if missing() is not None:
        where = "" if not subject.endpoint else "; only the bridge's machine needs it"
        yield Finding(
            OK if subject.endpoint else WARNING,
            f"there is no libfaust: programs would be written unchecked{where}",
            "" if subject.endpoint else INSTALL,
        )
        return
    answer = compile_once(_PROGRAM)
    match answer:
        case Failed(problem) | Missing(problem):
            yield Finding(PROBLEM, problem, f"reinstall it: {INSTALL}")
        case _ if answer.problem:
            yield Finding(PROBLEM, f"it refuses `{_PROGRAM.strip()}`: {answer.problem}", INSTALL)
        case _:
            yield Finding(OK, f"compiles a small program in {1000 * answer.seconds:.0f} ms")


def compile_once(program: str) -> Answer:
    """Compile a program in a process of its own.

    Args:
        program: Faust text.

    Returns:
        What the compiler says of it.
    """
    with closing(Compiler("doctor")) as compiler:
        compiler.ask(program, play=False)
        while True:
            deadline = compiler.deadline()
            patience = 0.0 if deadline is None else max(0.0, deadline - time.monotonic())
            child = compiler.fileno()
            select.select([] if child is None else [child], [], [], patience)
            answer = compiler.receive()
            if answer is not None:
                return answer


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
