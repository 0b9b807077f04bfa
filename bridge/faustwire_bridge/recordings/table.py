"""A summary of a recording as a table for people, or as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from faustwire.terminal import printable
from faustwire.worker_name import with_incarnation
from faustwire_bridge.recordings.outline import in_lines
from faustwire_bridge.recordings.summary import Account, Summary

_MOST_WORKERS = 64
_MOST_DAMAGES = 20
_COLUMNS = ("worker", "from", "to", "calls", "recorded", "published", "a second")


def show(found: Summary, console: Console) -> None:
    """Print a summary for people.

    Args:
        found: what was in the recording.
        console: where to print it.
    """
    said = found.metadata
    size = f"{found.size / 2**20:.1f} MiB in {len(found.files)} file(s)"
    console.print(
        _text(f"{found.seconds:.1f} s, {sum(found.messages.values())} messages, {size}"),
        _text(
            f"recorded by faustwire {said.get('faustwire', '?')} on {said.get('host', '?')}, "
            f"libfaust {said.get('libfaust') or '?'}, for {said.get('dsp_path', '?')}; "
            f"kept: {said.get('kept', '?')}"
        ),
        sep="\n",
    )
    accounts = list(found.accounts.values())
    console.print(_workers(accounts[:_MOST_WORKERS]))
    if len(accounts) > _MOST_WORKERS:
        console.print(f"and {len(accounts) - _MOST_WORKERS} more workers")
    if found.events:
        console.print(_text(f"events: {_counts(found.events.items())}"))
    for account in accounts[:_MOST_WORKERS]:
        for line in _about(account):
            console.print(_text(line))
    _show_problems(found, console)


def _workers(accounts: Iterable[Account]) -> Table:
    table = Table(box=box.SIMPLE)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "worker" else "right")
    for account in accounts:
        table.add_row(*map(_text, _row(account)))
    return table


def _show_problems(found: Summary, console: Console) -> None:
    if found.unreadable:
        console.print(f"{found.unreadable} messages make no sense", style="yellow")
    for line in found.damage[:_MOST_DAMAGES]:
        console.print(_text(f"damaged: {line}"), style="yellow")
    if len(found.damage) > _MOST_DAMAGES:
        console.print(f"damaged: {len(found.damage) - _MOST_DAMAGES} more places", style="yellow")


def as_plain(found: Summary) -> dict[str, Any]:
    """A summary as ``json.dumps`` takes it."""
    return {
        "metadata": found.metadata,
        "files": found.files,
        "size": found.size,
        "seconds": found.seconds,
        "messages": found.messages,
        "events": found.events,
        "workers": [_plain(account) for account in found.accounts.values()],
        "unreadable": found.unreadable,
        "damage": found.damage,
        "unfinished": found.unfinished,
    }


def _plain(account: Account) -> dict[str, Any]:
    names = ("user", "first", "last", "newest_call", "snapshots", "sources", "data_bytes")
    counted = ("published", "settled", "reasons", "fs", "rate", "metrics", "model")
    return asdict(account.hello) | {name: getattr(account, name) for name in names + counted}


def _row(account: Account) -> list[str]:
    sources = f" +{account.sources}" if account.sources else ""
    settled = f" ({account.settled} settled)" if account.settled else ""
    return [
        with_incarnation(account.hello.worker, account.hello.incarnation),
        f"{account.first:.1f} s",
        f"{account.last:.1f} s",
        str(account.newest_call),
        f"{account.snapshots}{sources}",
        f"{account.published}{settled}",
        f"{account.rate:.1f}",
    ]


def _about(account: Account) -> Iterable[str]:
    """Where it ran, how its calls ended, its metrics and its model."""
    hello = account.hello
    yield ""
    key = f", with the key of {account.user}" if account.user else ""
    yield f"{hello.worker}: process {hello.pid} on {hello.host or '?'}{key}"
    if account.reasons:
        yield f"  verdicts: {_counts(account.reasons.most_common())}"
    for name, (first, last) in account.metrics.items():
        yield f"  {name}: {first:.6g} to {last:.6g}"
    if account.model is not None:
        size = account.data_bytes / (account.snapshots + account.sources)
        yield f"  {size / 1024:.1f} KiB a snapshot, {account.fs:g} Hz:"
        yield from in_lines(account.model, 2)


def _counts(pairs: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {name}" for name, count in pairs)


def _text(line: str) -> Text:
    """Neither markup nor control characters of strangers."""
    return Text(printable(line))
