"""What happened, a line each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import groupby

from rich.text import Text

from faustwire.bridge_state import PUBLISHED
from faustwire.terminal import printable
from faustwire_bridge.monitor import formatting
from faustwire_bridge.monitor.view_model import Entry

# Of reloads in a row.
_MOST_RELOADS = 4
_KINDS = {
    **dict.fromkeys(PUBLISHED, "green"),
    "held-back": "yellow",
    "joined": "cyan",
    "left": "cyan",
    "gone": "red",
    "followed": "magenta",
    "recording-stopped": "bold red",
    "bridge": "bold",
}


def condensed(entries: Iterable[Entry]) -> list[Text]:
    """Lines in which many reloads in a row do not hide the rest."""
    lines: list[Text] = []
    for reloads, run in groupby(entries, key=lambda entry: entry.kind in PUBLISHED):
        told = [line(entry) for entry in run]
        if reloads and len(told) > _MOST_RELOADS:
            hidden = len(told) - (_MOST_RELOADS - 1)
            told[:hidden] = [formatting.line((f"{'':<10}… {hidden} reloads", "dim"))]
        lines += told
    return lines


def line(entry: Entry) -> Text:
    """One thing that happened, as one line."""
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    who = formatting.shortened(entry.worker)
    who += f" #{entry.call}" if entry.call is not None else ""
    kind = printable(entry.kind)
    text = formatting.line((clock, "dim"), (f"  {kind:<11} ", _KINDS.get(entry.kind, "")))
    return text.append("  ".join(part for part in (who, printable(entry.detail)) if part))
