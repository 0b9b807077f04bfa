"""The workers of a bridge as a table."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from faustwire.messages import HOLDS_BACK, Reason, State, WorkerState
from faustwire.terminal import printable
from faustwire.worker_name import with_incarnation
from faustwire_bridge.monitor import formatting

# What a worker that is there has sent last is a second old at most: it pings.
_QUIET_SECONDS = 3.0
_MARKS = {
    "plays": ("▶", "bold green"),
    "followed": ("●", "green"),
    "not followed": ("○", "dim"),
    "gone": ("✕", "red"),
}


def workers(state: State, at: float, width: int, rows: int) -> Table:
    """Who is there, a row each.

    Args:
        state: the bridge's.
        at: seconds on the bridge's clock.
        width: columns of the terminal: a narrow one shows fewer metrics and no counts.
        rows: how many at most.
    """
    metrics = _metrics(state, max(1, (width - 60) // 40))
    counted = width >= 130
    table = Table(box=None, expand=True, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("", width=1)
    table.add_column("worker", no_wrap=True, max_width=formatting.MAX_NAME)
    table.add_column("host", no_wrap=True, max_width=formatting.MAX_NAME // 2)
    for name in ("step", *map(printable, metrics), "rate", "published"):
        table.add_column(formatting.plain(name), justify="right", no_wrap=True, max_width=12)
    if counted:
        table.add_column("held back", no_wrap=True)
    table.add_column("last verdict", no_wrap=True, ratio=1)
    namesakes = Counter(worker.worker for worker in state.workers)
    for worker in _chosen(state, rows):
        mark, style = _MARKS[_standing(worker, state)]
        table.add_row(
            Text(mark, style),
            formatting.plain(_label(worker, namesakes)),
            formatting.plain(printable(worker.host)),
            formatting.plain("–" if worker.newest_call is None else str(worker.newest_call)),
            *(formatting.plain(formatting.figure(worker.metrics.get(name))) for name in metrics),
            _pace(worker, at),
            formatting.plain(_share(worker)),
            *([formatting.plain(_counts(worker))] if counted else []),
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
    """The workers that fit, in the order in which they came; those that have left come last.

    Rows that changed places with each reload could not be read.
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
    name = worker.worker
    return printable(with_incarnation(name, worker.incarnation) if namesakes[name] > 1 else name)


def _pace(worker: WorkerState, at: float) -> Text:
    silent = at - worker.last_seen
    if not worker.connected:
        return Text(formatting.ago(silent), "red")
    if silent > _QUIET_SECONDS:
        return Text(f"silent {silent:.0f} s", "yellow")
    return Text(f"{worker.rate:.3g}/s" if worker.rate else "–")


def _share(worker: WorkerState) -> str:
    return f"{worker.published}/{worker.calls}" if worker.calls else "–"


def _counts(worker: WorkerState) -> str:
    others = Counter({name: n for name, n in worker.verdicts.items() if name != "published"})
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


def legend(state: State, hidden: int, *, heard: bool = True) -> Text:
    """What the marks mean, and how many workers there is no room for.

    Args:
        state: the bridge's; only marks that its workers have are explained.
        hidden: how many workers the table leaves out.
        heard: whether a plugin is there to play what is written.

    Returns:
        One line; if there are no workers, it says so.
    """
    if not state.workers:
        return formatting.line(("no worker has come yet", "dim"))
    seen = {_standing(worker, state) for worker in state.workers}
    names = {} if heard else {"plays": "written"}
    told = [f"{mark} {names.get(name, name)}" for name, (mark, _) in _MARKS.items() if name in seen]
    if hidden > 0:
        told.append(f"and {hidden} more")
    return formatting.line(("   ".join(told), "dim"))
