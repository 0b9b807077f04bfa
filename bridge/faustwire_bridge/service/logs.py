"""The bridge's log on stderr: a line for people or one JSON object a line, escaped and bounded.

Workers choose names and node paths, and a log line may quote them. So what is logged is made safe
here, where text leaves for people, and nowhere else: no control characters, no line breaks, no
endless lines, and no more lines of one cause than anybody can read.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from faustwire.terminal import printable

# What every LogRecord has; the rest came as `extra`.
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Of a message or one of its values; the verdict that a worker gets has the whole.
_MAX_CHARACTERS = 500
_MAX_TRACEBACK = 8000
# A sweep's workers join all at once; of what happens more often than this, nobody reads each line.
_BURST_LINES = 200
_LINES_PER_SECOND = 10.0
# There are some forty kinds of lines.
_MAX_CAUSES = 256
# Weeks of warnings of an embedded bridge, and what is kept of them when there are more.
MAX_FILE_BYTES = 4 * 2**20
_KEPT_BYTES = 2**18


def configure(level: str, *, as_json: bool) -> None:
    """Set up the program's log on stderr.

    Args:
        level: the least severe one that is logged, as in ``logging``.
        as_json: one JSON object per line instead of a line for people.
    """
    handler = _BoundedHandler()
    handler.setFormatter(_Json() if as_json else _Lines())
    handler.addFilter(RateLimit(time.monotonic))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def bound_file(path: Path) -> None:
    """Keep a log file short if stderr is that file; a file of somebody else's is left alone.

    Args:
        path: of the log file that embedded bridges share, or the servers of a page.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _BoundedHandler):
            handler.bound_file(path)


class RateLimit(logging.Filter):
    """Lets a few lines of one cause pass in a time, and says with the next how many were dropped.

    A cause is what a line says, without the figures and names in it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing has been logged yet.

        Args:
            clock: seconds that never go back.
        """
        super().__init__()
        self._clock = clock
        # Lines that may still pass, as of when, and how many were dropped since the last one.
        self._causes: OrderedDict[tuple[str, str], tuple[float, float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide whether a line is logged; the next one says how many were dropped."""
        now, cause = self._clock(), _cause(record)
        left, then, dropped = self._causes.pop(cause, (float(_BURST_LINES), now, 0))
        left = min(float(_BURST_LINES), left + (now - then) * _LINES_PER_SECOND)
        passes = left >= 1.0
        self._causes[cause] = (left - 1.0, now, 0) if passes else (left, now, dropped + 1)
        if len(self._causes) > _MAX_CAUSES:
            self._causes.popitem(last=False)
        if passes and dropped:
            record.dropped = dropped
        return passes


def _cause(record: logging.LogRecord) -> tuple[str, str]:
    first = record.args[0] if isinstance(record.args, tuple) and record.args else ""
    # "%s" and "%s: %s" begin with the kind of event or the reason of a verdict.
    begins_with_kind = str(record.msg).startswith("%s")
    return str(record.msg)[:_MAX_CHARACTERS], str(first)[:40] if begins_with_kind else ""


class _BoundedHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr, and begins the file again when it has become too long."""

    def __init__(self) -> None:
        super().__init__()
        self._descriptor: int | None = None

    def bound_file(self, path: Path) -> None:
        with suppress(OSError, ValueError):
            descriptor = self.stream.fileno()
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if self._descriptor is not None:
            with suppress(OSError):
                if os.fstat(self._descriptor).st_size > MAX_FILE_BYTES:
                    self._shorten(self._descriptor)

    def _shorten(self, descriptor: int) -> None:
        # It was opened to be appended to, which does not allow reading it.
        kept = b""
        with suppress(OSError), Path(f"/dev/fd/{descriptor}").open("rb") as file:
            file.seek(-_KEPT_BYTES, os.SEEK_END)
            kept = file.read(_KEPT_BYTES).partition(b"\n")[2]
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"(the log was too long; these are its last lines)\n" + kept)


class _Lines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = _safe(record.message)
        # Two spaces precede each value from `extra`, and occur nowhere else.
        extras = "".join(f"  {key}={_safe(value)}" for key, value in _extras(record).items())
        return super().formatMessage(record) + extras

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        lines = super().formatException(ei)[-_MAX_TRACEBACK:].splitlines()  # type: ignore[arg-type]
        return "\n".join(f"    {printable(line)}" for line in lines)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": _short(record.getMessage()),
            **{key: _short(value) for key, value in _extras(record).items()},
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)[-_MAX_TRACEBACK:]
        # Whatever is not ASCII is escaped.
        return json.dumps(entry, default=str)


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _OWN}


def _short(value: object) -> object:
    if isinstance(value, str) and len(value) > _MAX_CHARACTERS:
        return value[:_MAX_CHARACTERS] + "…"
    return value


def _safe(value: object) -> str:
    return " ".join(str(_short(printable(value))).split())
