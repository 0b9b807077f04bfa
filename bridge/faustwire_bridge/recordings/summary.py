"""Summarise a recording in one pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from faustwire import codec, recording
from faustwire.bridge_state import PUBLISHED
from faustwire.errors import MessageError
from faustwire.header import read_fields
from faustwire.messages import Event, Hello, Snapshot, Verdict
from faustwire.recording import Item, Recording
from faustwire.recording.publications import Publications
from faustwire_bridge.recordings.curve import Curve
from faustwire_bridge.recordings.outline import outline

# Workers whose curves are kept, one for each column of a plot, and models of each.
_DRAWN = 6
_KEPT_MODELS = 12
_MAX_MODEL_BYTES = 2**20
_MAX_WORKERS = 4096


@dataclass
class Account:
    """What one incarnation of a worker did.

    Attributes:
        hello: who it was.
        user: whose key it had; empty: none.
        first, last: seconds from the beginning to its first and last message.
        newest_call: the highest number of a call that is recorded.
        snapshots, sources: how many are.
        data_bytes: of all those.
        published, settled: how many of them the bridge wrote; settled ones are among them.
        reasons: of the verdicts.
        fs: sampling rate of its first snapshot, Hz; 0: there was none.
        model: ``outline`` of its first snapshot.
        metrics: first and last value of each.
        drawn: whether the rest is kept.
        curve: metrics by call.
        publishes: the calls that were published.
        rt60: (call, seconds) of those for which a verdict says it.
        decays: RT60 in seconds that the last verdict says, until its event has come.
        models: (call, message) of some of those, evenly over all.
        sent: the same of all that it sent, for one of which nothing was published.
    """

    hello: Hello
    user: str
    first: float
    last: float = 0.0
    newest_call: int = 0
    snapshots: int = 0
    sources: int = 0
    data_bytes: int = 0
    published: int = 0
    settled: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    fs: float = 0.0
    model: dict[str, Any] | None = None
    metrics: dict[str, tuple[float, float]] = field(default_factory=dict)
    drawn: bool = False
    curve: Curve[dict[str, float]] = field(default_factory=Curve)
    publishes: Curve[None] = field(default_factory=Curve)
    rt60: Curve[float] = field(default_factory=Curve)
    decays: float | None = None
    models: Curve[bytes] = field(default_factory=lambda: Curve(_KEPT_MODELS))
    sent: Curve[bytes] = field(default_factory=lambda: Curve(_KEPT_MODELS))

    @property
    def rate(self) -> float:
        """Snapshots a second."""
        return self.snapshots / (self.last - self.first) if self.last > self.first else 0.0


@dataclass
class Summary:
    """What was in a recording.

    Attributes:
        metadata: what it says about itself.
        files: names, in the order of time.
        size: of all files, bytes.
        seconds: from the first message to the last.
        messages: how many, by topic.
        events: how many, by kind.
        accounts: of each incarnation, in the order in which they came.
        unreadable: how many messages can't be read.
        damage: what could not be read, a line each.
        unfinished: files that a bridge is still writing, a line each.
    """

    metadata: dict[str, str]
    files: list[str]
    size: int
    seconds: float = 0.0
    messages: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, Account] = field(default_factory=dict)
    unreadable: int = 0
    damage: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def summarise(found: Recording) -> Summary:
    """Summarise a recording in one pass."""
    size = sum(path.stat().st_size for path in found.paths)
    result = Summary(dict(found.metadata), [path.name for path in found.paths], size)
    begun_ns = found.start_ns or 0
    publications = Publications()
    for item in found:
        result.messages[item.topic] += 1
        result.seconds = (item.at_ns - begun_ns) * 1e-9
        account = _account(result, item)
        published = publications.published_by(item)
        try:
            _count(result, account, item)
            if published is not None:
                _published(result, published)
        except MessageError:
            result.unreadable += 1
    result.unfinished = found.unfinished
    result.damage = [str(damage) for damage in found.damage]
    return result


def _count(result: Summary, account: Account | None, item: Item) -> None:
    if item.topic == recording.EVENT:
        _happened(result, item)
    elif account is not None and item.topic == recording.IN:
        _sent(account, item)
    elif account is not None and item.topic == recording.OUT:
        _told(account, item)


def _account(result: Summary, item: Item) -> Account | None:
    incarnation = item.metadata.get("incarnation")
    if incarnation is None:
        return None
    account = result.accounts.get(incarnation)
    if account is None:
        hello = recording.hello(item.metadata)
        if hello is None or len(result.accounts) >= _MAX_WORKERS:
            return None
        user = item.metadata.get("user", "")
        drawn = len(result.accounts) < _DRAWN
        account = Account(hello, user, result.seconds, drawn=drawn)
        result.accounts[incarnation] = account
    if item.topic == recording.IN:
        account.last = result.seconds
    return account


def _sent(account: Account, item: Item) -> None:
    seen = read_fields(item.data, "type", "call", "metrics")
    match seen.get("type"):
        case "source":
            account.sources += 1
            account.data_bytes += len(item.data)
        case "snapshot":
            account.snapshots += 1
            account.data_bytes += len(item.data)
            _sent_snapshot(account, item, seen)


def _sent_snapshot(account: Account, item: Item, seen: dict[str, Any]) -> None:
    call, metrics = seen.get("call"), seen.get("metrics")
    if not isinstance(call, int) or not isinstance(metrics, dict):
        raise MessageError("a snapshot without a call")
    account.newest_call = max(account.newest_call, call)
    numbers = _measured(account, metrics)
    if account.drawn:
        account.curve.add(call, numbers)
        if not account.published and len(item.data) <= _MAX_MODEL_BYTES:
            account.sent.add(call, item.data)
    if account.model is None:
        message = codec.decode(item.data)
        if isinstance(message, Snapshot):
            account.fs, account.model = message.fs, outline(message.graph)


def _measured(account: Account, metrics: dict[Any, Any]) -> dict[str, float]:
    """Remember the first and last value of each metric; a file may come from a stranger."""
    numbers = {
        str(name)[:64]: float(value)
        for name, value in list(metrics.items())[: codec.MAX_METRICS]
        if type(value) in (int, float)
    }
    for name, value in numbers.items():
        account.metrics[name] = account.metrics.get(name, (value, value))[0], value
        if len(account.metrics) > codec.MAX_METRICS:
            del account.metrics[name]
    return numbers


def _told(account: Account, item: Item) -> None:
    message = codec.decode(item.data)
    if not isinstance(message, Verdict):
        return
    account.reasons[str(message.reason)] += 1
    # The event that comes with it says which call it was.
    account.decays = message.rt60_seconds if message.published else None


def _happened(result: Summary, item: Item) -> None:
    event = codec.decode(item.data)
    if not isinstance(event, Event):
        raise MessageError("an event is wanted")
    result.events[event.kind[:64]] += 1
    account = result.accounts.get(event.incarnation)
    if account is not None:
        account.published += event.kind in PUBLISHED
        account.settled += event.kind == "settled"
        decays, call = account.decays, event.call
        if account.drawn and event.kind == "published" and call and decays is not None:
            account.rt60.add(call, decays)
        account.decays = None


def _published(result: Summary, item: Item) -> None:
    account = result.accounts.get(item.metadata.get("incarnation", ""))
    call = read_fields(item.data, "call").get("call")
    if account is not None and account.drawn and isinstance(call, int):
        codec.decode(item.data)  # Before anybody draws it.
        account.publishes.add(call, None)
        if len(item.data) <= _MAX_MODEL_BYTES:
            account.models.add(call, item.data)
