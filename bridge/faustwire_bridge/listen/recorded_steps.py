"""What the messages of a recording say of its workers' steps. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from faustwire import codec, recording
from faustwire.bridge_state import PUBLISHED
from faustwire.errors import MessageError
from faustwire.header import read_fields
from faustwire.messages import Event, Reason, Verdict
from faustwire.recording import Item
from faustwire_bridge.core.hearing import Hearing, by_verdict

# Calls of one worker without a verdict: a bridge has one in progress, and one that waits.
_MOST_PENDING = 8
_MOST_WORKERS = 2048
_MOST_CHARACTERS = 200
# It was judged when its time came; nobody was told the figures.
_SETTLED = Hearing(audible=True, reason=Reason.PUBLISHED)


class StepFact(NamedTuple):
    """A snapshot of a worker, or what became of it.

    Attributes:
        run, call: whose, and which.
        at: when, Unix time in seconds.
        metrics: of a snapshot; None: it tells what became of one.
        judged: whether it may be heard; None: that was not looked at.
        verdict: how the call ended; None: it does not say.
        published: whether it was written to the plugin's file.
    """

    run: str
    call: int
    at: float
    metrics: Mapping[str, float] | None = None
    judged: Hearing | None = None
    verdict: Verdict | None = None
    published: bool = False


class Happening(NamedTuple):
    """An event: the fields of one of a message's ``events``."""

    fields: dict[str, Any]


@dataclass
class RunAccount:
    """What a worker has done so far, as the table shows it.

    Attributes:
        call: the highest number of a call.
        snapshots, published: how many of it.
        first, last: when, Unix time in seconds.
        metrics: of its newest snapshot.
        reason, detail: of its last verdict.
    """

    call: int = 0
    snapshots: int = 0
    published: int = 0
    first: float = 0.0
    last: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""

    @property
    def rate(self) -> float:
        """Snapshots a second."""
        return (self.snapshots - 1) / (self.last - self.first) if self.last > self.first else 0.0

    def count(self, found: StepFact) -> None:
        """Take what was found next."""
        self.published += found.published
        if found.verdict is not None:
            self.reason = str(found.verdict.reason)
            # Where it was published to is the same each time.
            detail = "" if found.published else found.verdict.detail
            self.detail = detail[:_MOST_CHARACTERS]
        if found.metrics is not None:
            self.first = self.first or found.at
            self.last, self.call = found.at, max(self.call, found.call)
            self.snapshots += 1
            self.metrics = found.metrics


class Steps:
    """Finds the snapshots and their verdicts among a recording's messages, in their order."""

    def __init__(self) -> None:
        self._pending: OrderedDict[str, OrderedDict[int, int]] = OrderedDict()

    def found(self, item: Item) -> Iterator[StepFact | Happening]:
        """What an item says; nothing if it is not a message, or not about a step.

        Args:
            item: the next one.
        """
        run = item.metadata.get("incarnation")
        at = item.at_ns * 1e-9
        try:
            if item.topic == recording.EVENT:
                yield from _happened(item, at)
            elif run is not None and item.topic == recording.IN:
                yield from self._sent(run, item, at)
            elif run is not None:
                yield from self._told(run, item, at)
        except MessageError:
            return

    def _sent(self, run: str, item: Item, at: float) -> Iterator[StepFact]:
        seen = read_fields(item.data, "type", "seq", "call", "metrics")
        seq, call, metrics = seen.get("seq"), seen.get("call"), seen.get("metrics")
        if seen.get("type") != "snapshot" or type(call) is not int or type(seq) is not int:
            return
        if not 0 < call < 2**62:
            return
        pending = self._pending.setdefault(run, OrderedDict())
        pending[seq] = call
        if len(pending) > _MOST_PENDING:
            pending.popitem(last=False)
        self._pending.move_to_end(run)
        if len(self._pending) > _MOST_WORKERS:
            self._pending.popitem(last=False)
        yield StepFact(run, call, at, numbers_of(metrics))

    def _told(self, run: str, item: Item, at: float) -> Iterator[StepFact]:
        if read_fields(item.data, "type").get("type") != "verdict":
            return
        verdict = codec.decode(item.data)
        assert isinstance(verdict, Verdict), "its type says so"  # noqa: S101
        call = self._pending.get(run, OrderedDict()).pop(verdict.seq, None)
        if call is not None:
            judged = by_verdict(verdict)
            yield StepFact(run, call, at, None, judged, verdict, verdict.published)


def _happened(item: Item, at: float) -> Iterator[StepFact | Happening]:
    event = codec.decode(item.data)
    if not isinstance(event, Event):
        return
    yield Happening(
        {
            "at": at,
            "kind": event.kind,
            # Where it was published to is the same each time.
            "detail": "" if event.kind in PUBLISHED else event.detail[:_MOST_CHARACTERS],
            "worker": event.worker,
            "call": event.call,
        }
    )
    # The others have a verdict that says it, with figures.
    if event.kind in PUBLISHED and event.kind != "published" and event.call is not None:
        yield StepFact(event.incarnation, event.call, at, None, _SETTLED, published=True)


def numbers_of(metrics: Any) -> dict[str, float]:
    """The numbers among a snapshot's metrics, by name; they may be anything."""
    if not isinstance(metrics, dict):
        return {}
    return {
        str(name)[:64]: float(value)
        for name, value in list(metrics.items())[: codec.MAX_METRICS]
        if type(value) in (int, float)
    }
