"""A bridge's state as people see it: what plays, who is there, what happened."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import accumulate

from rich.console import Group, RenderableType
from rich.text import Text

from faustwire.messages import HOLDS_BACK, Choice, State, WorkerState
from faustwire.terminal import printable
from faustwire_bridge.monitor import formatting
from faustwire_bridge.monitor.event_lines import condensed
from faustwire_bridge.monitor.table import legend, workers
from faustwire_bridge.monitor.view_model import ViewModel

_MOST_TROUBLES = 12


def screen(view: ViewModel, now: float, *, width: int, height: int | None = None) -> RenderableType:
    """All of it.

    Args:
        view: what is known.
        now: seconds, on the clock that the view was told.
        width: of the terminal, in columns.
        height: in lines; None: as many as it takes.
    """
    state = view.state
    if state is None:
        return formatting.line(("waiting  ", "yellow"), printable(view.trouble or "for the bridge"))
    head = [*_head(view, state, state.now + view.age(now)), *_trouble(view, now), Text()]
    troubles = _held_back(state.workers, width, _MOST_TROUBLES if height is None else height // 4)
    # The table's head, the legend, and a line before the entries.
    others = 3 + sum(_height(text, width) for text in (*head, *troubles))
    room = None if height is None else max(0, height - others)
    past = condensed(view.entries)
    rows, kept = _budget(room, len(state.workers), len(past))
    foot = legend(state, len(state.workers) - rows, heard=view.watched is not False)
    # What a worker did after the last that was heard of it is not known.
    at = state.now + (view.age(now) if view.trouble is None else 0.0)
    return Group(
        *head, workers(state, at, width, rows), foot, *troubles, Text(), *past[len(past) - kept :]
    )


def _height(text: Text, width: int) -> int:
    return 1 if text.no_wrap else max(1, len(textwrap.wrap(text.plain, width)))


def _budget(room: int | None, workers: int, entries: int) -> tuple[int, int]:
    """How many workers and entries fit into this many lines; None: as many as wanted."""
    if room is None:
        return workers, min(entries, 10)
    # A third of it for what happened, and what the workers leave.
    rows = min(workers, max(1, room - min(entries, room // 3)))
    return rows, max(0, min(entries, room - rows))


def _head(view: ViewModel, state: State, at: float) -> list[Text]:
    where = f"{printable(state.host)}:{printable(state.dsp_path)}"
    title = formatting.line(
        ("faustwire  ", "bold"), (where, "bold"), (f"   pid {state.pid}", "dim")
    )
    if state.recording:
        title.append("   ● ", "red").append(f"records to {printable(state.recording)}")
    verb = "plays      " if view.watched is not False else "written    "
    plays = formatting.line((verb, "dim"), *_playing(state, at, heard=view.watched is not False))
    return [title, plays, formatting.line(("follows    ", "dim"), _choice(state.follow))]


def _playing(state: State, at: float, *, heard: bool) -> list[str | tuple[str, str]]:
    if state.reloaded_at is None:
        return [("nothing of this bridge yet", "yellow")]
    who = "text of somebody's own"
    if state.playing_worker:
        who = printable(state.playing_worker)
        who += "" if state.playing_call is None else f", call {state.playing_call}"
    if not heard:
        times = "once" if state.reloads == 1 else f"{state.reloads} times"
        since = f"   {formatting.ago(at - state.reloaded_at)}, {times}; no plugin watches this file"
        return [(who, "bold yellow"), since]
    cost = ""
    if state.compile_seconds is not None:
        cost = f", {1000 * state.compile_seconds:.0f} ms of silence each"
    if state.load is not None:
        cost += f", {100 * state.load:.0f} % of a core"
    reloads = "1 reload" if state.reloads == 1 else f"{state.reloads} reloads"
    since = f"   loaded {formatting.ago(at - state.reloaded_at)}, {reloads}{cost}"
    return [(who, "bold green"), since]


def _choice(choice: Choice) -> tuple[str, str]:
    name = printable(choice.name)
    told = {
        "latest": "latest: whoever has something new",
        "first": "first: who came first, until it leaves",
        "worker": f"worker {name}",
        "best": f"best {name}: whose is {'largest' if choice.larger else 'smallest'} so far",
    }
    return told.get(choice.kind, printable(choice)), "magenta"


def _trouble(view: ViewModel, now: float) -> list[Text]:
    if view.trouble is None:
        return []
    seen = f"as it was {formatting.ago(view.age(now))}; "
    return [Text.assemble(("no bridge  ", "bold red"), seen, (printable(view.trouble), "red"))]


def _held_back(workers: Sequence[WorkerState], width: int, most: int) -> list[Text]:
    """What a person should act on, told in full, on at most this many lines."""
    told = [
        Text(f"{formatting.shortened(each.worker)}: {each.reason}: {printable(each.detail)}", "red")
        for each in workers
        if each.connected and each.detail and each.reason in HOLDS_BACK
    ]
    used = list(accumulate(_height(text, width) for text in told))
    return [text for text, lines in zip(told, used, strict=True) if lines <= most]
