"""Starts the bridge again when its process crashes; libzmq may abort it whatever we do.

The bridge runs in a process that is forked from this one, which has imported everything and opened
nothing. So the next one is there within a few hundredths of a second, at the same endpoints.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

_log = logging.getLogger("faustwire.bridge")

# One that crashes as soon as it has begun is given a pause that grows, but stays short.
_YOUNG_SECONDS = 1.0
_PAUSE_SECONDS = 0.05
_MAX_PAUSE_SECONDS = 0.4
# More than the endpoints of a bridge take; one write of a pipe.
_MAX_REPORT = 4096

Ready = Callable[[list[str]], None]
Run = Callable[[Sequence[str] | None, Ready], int]


def supervise(run: Run) -> int:
    """Run a bridge in a process of its own, and again each time a signal or an error ends it.

    Args:
        run: runs a bridge and returns its exit code, and raises nothing. It is given the endpoints
            to bind (None at the first time) and what it has to call with the bound ones once it is
            ready.

    Returns:
        The exit code of the last one: of one that was asked to end, or could not begin.
    """
    endpoints: list[str] | None = None
    pause = _PAUSE_SECONDS
    with _stopping_signals() as stopping:
        while True:
            begun = time.monotonic()
            report, reported = os.pipe()
            alive, living = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(report)
                os.close(living)
                stopping.forget()
                _end_with(alive)
                _exit(run, endpoints, reported)
            os.close(reported)
            os.close(alive)
            stopping.begin(child)
            try:
                status = _wait(child)
                ready = _read(report)
            finally:
                os.close(report)
                os.close(living)
            if stopping.asked or not _has_crashed(status, ready):
                return max(status, 0)
            endpoints = ready or endpoints
            _log.error("the bridge was ended by %s, and is started again", _cause(status))
            pause = min(2 * pause, _MAX_PAUSE_SECONDS) if _is_young(begun) else _PAUSE_SECONDS
            time.sleep(pause)


class _Stopping:
    """Passes SIGINT and SIGTERM on to the bridge.

    Attributes:
        child: its process; None: there is none yet.
        asked: whether one of them has come.
    """

    def __init__(self) -> None:
        self.child: int | None = None
        self.asked = False
        self._before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def _stop(self, _number: int, _frame: object) -> None:
        self.asked = True
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGTERM)

    def begin(self, child: int) -> None:
        self.child = child
        if self.asked:  # while it was being forked
            os.kill(child, signal.SIGTERM)

    def forget(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


@contextmanager
def _stopping_signals() -> Iterator[_Stopping]:
    stopping = _Stopping()
    try:
        yield stopping
    finally:
        stopping.forget()


def _exit(run: Run, endpoints: list[str] | None, reported: int) -> NoReturn:
    """Run the bridge and end this process, whatever happens; the program is the other one."""
    code = 70
    try:
        code = run(endpoints, _reporter(reported))
    except KeyboardInterrupt:
        code = 130
    except Exception:  # noqa: BLE001 - nothing may return to the program that was forked
        _log.exception("internal error, the bridge ends")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)


def _has_crashed(status: int, ready: list[str] | None) -> bool:
    """Whether another one may do better: where it never came to be ready, none will."""
    return status < 0 or (status > 0 and ready is not None)


def _cause(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"an error (exit code {status})"


def _is_young(begun: float) -> bool:
    return time.monotonic() - begun < _YOUNG_SECONDS


def _wait(child: int) -> int:
    """The exit code of a process; negative: the signal that ended it."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _reporter(descriptor: int) -> Ready:
    def report(endpoints: list[str]) -> None:
        os.write(descriptor, json.dumps(endpoints).encode())

    return report


def _read(descriptor: int) -> list[str] | None:
    data = os.read(descriptor, _MAX_REPORT)
    endpoints: list[str] | None = json.loads(data) if data else None
    return endpoints


def _end_with(descriptor: int) -> None:
    """End this process, as SIGTERM would, when the other end of a pipe is gone."""

    def watch() -> None:
        os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="faustwire-supervised", daemon=True).start()
