"""What the bridge says on stderr: a line for people, or one JSON object a line."""

from __future__ import annotations

import json
import logging

from faustwire.terminal import printable

# What every LogRecord has; the rest came as `extra`.
_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _OWN}


class _Lines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        extras = "".join(f"  {key}={printable(value)}" for key, value in _extras(record).items())
        return super().formatMessage(record) + extras


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def configure(level: str, *, as_json: bool) -> None:
    """Set up the program's log on stderr.

    Args:
        level: the least severe one that is logged, as in ``logging``.
        as_json: one JSON object per line instead of a line for people.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if as_json else _Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
