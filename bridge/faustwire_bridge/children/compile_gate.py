"""The shell's side of the compile gate: what becomes of a ``instructions.Compile``."""

from __future__ import annotations

import logging

from faustwire_bridge.children.compiler import Compiler, Failed, Missing, missing
from faustwire_bridge.core import events
from faustwire_bridge.core.compile_report import Report

_log = logging.getLogger("faustwire.bridge")

_Outcome = events.Compiled | events.CompileFailed | events.Unchecked


class Checker:
    """Asks the compiler, where there is one, and says so where there is none."""

    def __init__(self, compiler: Compiler | None) -> None:
        """Start the compiler.

        Args:
            compiler: None: the gate is switched off.
        """
        self._compiler = compiler
        self._asked = False
        self._why_not = "the compile gate is switched off" if compiler is None else missing()
        if self._why_not is not None:
            self._warn(self._why_not)
        elif compiler is not None:
            try:
                compiler.start()
            except OSError as problem:
                _log.warning("libfaust can't be started: %s", problem)

    def compile(self, program: str, *, play: bool, thorough: bool = False) -> _Outcome | None:
        """Have a program compiled; the last one must be done.

        Args:
            program: Faust text.
            play: play a second of noise through it as well.
            thorough: play it at three rates and with its knobs turned.

        Returns:
            The outcome, where there is one at once; None: ``outcome`` will tell.
        """
        if self._why_not is not None or self._compiler is None:
            return events.Unchecked(self._why_not or "")
        try:
            self._compiler.ask(program, play=play, thorough=thorough)
        except OSError as problem:
            return events.CompileFailed(f"libfaust can't be asked: {problem}")
        self._asked = True
        return None

    def outcome(self) -> _Outcome | None:
        """How the compile ended, if there was one and it has."""
        answer = None if self._compiler is None else self._compiler.receive()
        if isinstance(answer, Missing):
            self._why_not = answer.problem
            self._warn(answer.problem)
        if answer is None or not self._asked:
            return None
        self._asked = False
        match answer:
            case Report():
                return events.Compiled(answer)
            case Failed(problem):
                return events.CompileFailed(problem)
            case Missing(problem):
                return events.Unchecked(problem)

    def cancel(self) -> None:
        """Give up the compile that is being done, if one is."""
        self._asked = False
        if self._compiler is not None:
            self._compiler.cancel()

    def close(self) -> None:
        """End the compiler for good."""
        if self._compiler is not None:
            self._compiler.close()

    def fileno(self) -> int | None:
        """What to wait for."""
        return None if self._compiler is None else self._compiler.fileno()

    def deadline(self) -> float | None:
        """When ``outcome`` must be called at the latest."""
        return None if self._compiler is None else self._compiler.deadline()

    def _warn(self, why: str) -> None:
        _log.warning(
            "programs are written unchecked, and one that is wrong crashes the DAW: %s", why
        )
