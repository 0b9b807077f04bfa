"""A bridge's state as people see it: what plays, who is there, what happened."""

from __future__ import annotations

import math
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, islice

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from faustwire.messages import HOLDS_BACK, Choice, Reason, State, WorkerState
from faustwire_bridge.printable import printable
from faustwire_bridge.watching.sight import Entry, Sight

# What a worker that is there has sent last is a second old at most: it pings.
_QUIET_SECONDS = 3.0
_MAX_NAME = 28
_MOST_TROUBLES = 12
_MARKS = {
    "plays": ("▶", "bold green"),
    "followed": ("●", "green"),
    "not followed": ("○", "dim"),
    "gone": ("✕", "red"),
}
_KINDS = {
    "published": "green",
    "settled": "green",
    "held-back": "yellow",
    "joined": "cyan",
    "left": "cyan",
    "gone": "red",
    "followed": "magenta",
    "recording-stopped": "bold red",
    "bridge": "bold",
}


def screen(sight: Sight, now: float, *, width: int, height: int | None = None) -> RenderableType:
    """All of it.

    Args:
        sight: what is known.
        now: seconds, on the clock that the sight was told.
        width: of the terminal, in columns.
        height: in lines; None: as many as it takes.
    """
    state = sight.state
    if state is None:
        return _line(("waiting  ", "yellow"), printable(sight.trouble or "for the bridge"))
    head = [*_head(state, state.now + sight.age(now)), *_trouble(sight, now), Text()]
    troubles = _held_back(state.workers, width, _MOST_TROUBLES if height is None else height // 4)
    # The table's head, the legend, and a line before the entries.
    others = 3 + sum(_height(text, width) for text in (*head, *troubles))
    room = None if height is None else max(0, height - others)
    rows, kept = _budget(room, len(state.workers), len(sight.entries))
    foot = _legend(state, len(state.workers) - rows)
    past = [line(entry) for entry in islice(sight.entries, len(sight.entries) - kept, None)]
    # What a worker did after the last that was heard of it is not known.
    at = state.now + (sight.age(now) if sight.trouble is None else 0.0)
    return Group(*head, workers(state, at, width, rows), foot, *troubles, Text(), *past)


def _height(text: Text, width: int) -> int:
    return 1 if text.no_wrap else max(1, len(textwrap.wrap(text.plain, width)))


def _budget(room: int | None, workers: int, entries: int) -> tuple[int, int]:
    """How many workers and how many entries fit into so many lines; None: as many as wanted."""
    if room is None:
        return workers, min(entries, 10)
    # A third of it for what happened, and what the workers leave.
    rows = min(workers, max(1, room - min(entries, room // 3)))
    return rows, max(0, min(entries, room - rows))


def _head(state: State, at: float) -> list[Text]:
    where = f"{printable(state.host)}:{printable(state.dsp_path)}"
    title = _line(("faustwire  ", "bold"), (where, "bold"), (f"   pid {state.pid}", "dim"))
    if state.recording:
        title.append("   ● ", "red").append(f"records to {printable(state.recording)}")
    plays = _line(("plays      ", "dim"), *_playing(state, at))
    return [title, plays, _line(("follows    ", "dim"), _choice(state.follow))]


def _playing(state: State, at: float) -> list[str | tuple[str, str]]:
    if state.reloaded_at is None:
        return [("nothing of this bridge yet", "yellow")]
    who = "text of somebody's own"
    if state.playing_worker:
        who = printable(state.playing_worker)
        who += "" if state.playing_call is None else f", call {state.playing_call}"
    cost = ""
    if state.compile_seconds is not None:
        cost = f", {1000 * state.compile_seconds:.0f} ms of silence each"
    reloads = "1 reload" if state.reloads == 1 else f"{state.reloads} reloads"
    since = f"   loaded {_ago(at - state.reloaded_at)}, {reloads}{cost}"
    return [(who, "bold green"), since]


def _choice(choice: Choice) -> tuple[str, str]:
    name = printable(choice.name)
    words = {
        "latest": "latest: whoever has something new",
        "first": "first: who came first, until it leaves",
        "worker": f"worker {name}",
        "best": f"best {name}: whose is {'largest' if choice.larger else 'smallest'} so far",
    }
    return words.get(choice.kind, printable(choice)), "magenta"


def _trouble(sight: Sight, now: float) -> list[Text]:
    if sight.trouble is None:
        return []
    seen = f"as it was {_ago(sight.age(now))}; "
    return [Text.assemble(("no bridge  ", "bold red"), seen, (printable(sight.trouble), "red"))]


def workers(state: State, at: float, width: int, rows: int) -> Table:
    """Who is there, a row each.

    Args:
        state: the bridge's.
        at: seconds on the bridge's clock.
        width: columns of the terminal: a narrow one shows fewer metrics and no counts.
        rows: so many at most.
    """
    metrics = _metrics(state, max(1, (width - 60) // 40))
    counted = width >= 130
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("", width=1)
    table.add_column("worker", no_wrap=True, max_width=_MAX_NAME)
    table.add_column("host", no_wrap=True, max_width=_MAX_NAME // 2)
    for name in ("step", *map(printable, metrics), "rate", "published"):
        table.add_column(_plain(name), justify="right", no_wrap=True, max_width=12)
    if counted:
        table.add_column("held back", no_wrap=True)
    table.add_column("last verdict", no_wrap=True, ratio=1)
    namesakes = Counter(worker.worker for worker in state.workers)
    for worker in _chosen(state, rows):
        mark, style = _MARKS[_standing(worker, state)]
        table.add_row(
            Text(mark, style),
            _plain(_label(worker, namesakes)),
            _plain(printable(worker.host)),
            _plain("–" if worker.newest_call is None else str(worker.newest_call)),
            *(_plain(_figure(worker.metrics.get(name))) for name in metrics),
            _pace(worker, at),
            _plain(_share(worker)),
            *([_plain(_counts(worker))] if counted else []),
            _verdict(worker, state),
            style="" if worker.connected else "dim",
        )
    return table


def _standing(worker: WorkerState, state: State) -> str:
    if worker.incarnation == state.playing_incarnation and worker.connected:
        return "plays"
    if not worker.connected:
        return "gone"
    return "followed" if worker.followed else "not followed"


def _chosen(state: State, rows: int) -> list[WorkerState]:
    """Those for whom there is room, in the order in which they came, who is gone last.

    Rows that change places with each reload could not be read.
    """
    marks = list(_MARKS)
    ranked = sorted(state.workers, key=lambda worker: marks.index(_standing(worker, state)))
    chosen = {worker.incarnation for worker in ranked[:rows]}
    kept = [worker for worker in state.workers if worker.incarnation in chosen]
    return sorted(kept, key=lambda worker: not worker.connected)


def _metrics(state: State, count: int) -> list[str]:
    """The names that deserve a column: what decides, then what most workers have."""
    names = Counter(name for worker in state.workers for name in worker.metrics)
    if state.follow.kind == "best" and state.follow.name in names:
        names[state.follow.name] = len(state.workers) + 1
    return [name for name, _ in names.most_common(count)]


def _label(worker: WorkerState, namesakes: Counter[str]) -> str:
    twin = f"#{worker.incarnation[:4]}" if namesakes[worker.worker] > 1 else ""
    return printable(worker.worker + twin)


def _pace(worker: WorkerState, at: float) -> Text:
    silent = at - worker.last_seen
    if not worker.connected:
        return Text(_ago(silent), "red")
    if silent > _QUIET_SECONDS:
        return Text(f"silent {silent:.0f} s", "yellow")
    return Text(f"{worker.rate:.3g}/s" if worker.rate else "–")


def _share(worker: WorkerState) -> str:
    calls = sum(worker.counts.values())
    return f"{worker.counts.get(Reason.PUBLISHED.value, 0)}/{calls}" if calls else "–"


def _counts(worker: WorkerState) -> str:
    others = Counter({name: n for name, n in worker.counts.items() if name != "published"})
    return "  ".join(f"{printable(name)} {count}" for name, count in others.most_common(3))


def _verdict(worker: WorkerState, state: State) -> Text:
    if worker.reason is None:
        return Text("–")
    text = Text(worker.reason.value, _tone(worker.reason))
    told = bool(worker.detail) and worker.detail != state.dsp_path
    return text.append(f"  {printable(worker.detail)}", "dim") if told else text


def _tone(reason: Reason) -> str:
    if reason in HOLDS_BACK:
        return "bold red"
    return "green" if reason is Reason.PUBLISHED else ""


def _held_back(workers: Sequence[WorkerState], width: int, most: int) -> list[Text]:
    """What a person should do something about, told in full, on so many lines at most."""
    told = [
        Text(f"{_shortened(worker.worker)}: {worker.reason}: {printable(worker.detail)}", "red")
        for worker in workers
        if worker.connected and worker.detail and worker.reason in HOLDS_BACK
    ]
    used = list(accumulate(_height(text, width) for text in told))
    return [text for text, lines in zip(told, used, strict=True) if lines <= most]


def _legend(state: State, hidden: int) -> Text:
    if not state.workers:
        return _line(("no worker has come yet", "dim"))
    seen = {_standing(worker, state) for worker in state.workers}
    words = [f"{mark} {name}" for name, (mark, _) in _MARKS.items() if name in seen]
    if hidden > 0:
        words.append(f"and {hidden} more")
    return _line(("   ".join(words), "dim"))


def line(entry: Entry) -> Text:
    """One thing that happened, as one line."""
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    who = _shortened(entry.worker)
    who += f" #{entry.call}" if entry.call is not None else ""
    kind = printable(entry.kind)
    text = _line((clock, "dim"), (f"  {kind:<11} ", _KINDS.get(entry.kind, "")))
    return text.append("  ".join(part for part in (who, printable(entry.detail)) if part))


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _plain(text: str) -> Text:
    # A str would be read as rich's markup.
    return Text(text, overflow="ellipsis")


def _shortened(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _ago(seconds: float) -> str:
    """A time that has passed, in words short enough for a column."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{math.floor(seconds / size)} {unit} ago"
    return f"{max(seconds, 0.0):.1f} s ago" if seconds < 10 else f"{seconds:.0f} s ago"
