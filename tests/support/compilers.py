"""Asking a libfaust in a process of its own, and waiting for what it says."""

from __future__ import annotations

import select
import time

from bridges import DEADLINE
from faustwire_bridge.children.compiler import Answer, Compiler, Failed
from faustwire_bridge.core.compile_report import Report


def answer(asked: Compiler) -> Answer:
    """Wait as a poller does."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        descriptor = asked.fileno()
        select.select([] if descriptor is None else [descriptor], [], [], 0.02)
        said = asked.receive()
        if said is not None:
            return said
    raise AssertionError(f"no answer within {DEADLINE} s")


def compiled(
    asked: Compiler, program: str, *, play: bool = False, thorough: bool = False
) -> Report:
    """What is said of a program that is compiled to the end."""
    asked.ask(program, play=play, thorough=thorough)
    report = answer(asked)
    assert isinstance(report, Report), report
    return report


def failed(asked: Compiler, program: str, *, play: bool = False, thorough: bool = False) -> str:
    """Why a program can't be compiled to the end, or played."""
    asked.ask(program, play=play, thorough=thorough)
    said = answer(asked)
    assert isinstance(said, Failed), said
    return said.problem
