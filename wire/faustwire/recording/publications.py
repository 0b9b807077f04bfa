"""Which workers are in a recording, and which of their messages were published."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from faustwire import codec, recording
from faustwire.bridge_state import PUBLISHED
from faustwire.errors import MessageError, RecordingError
from faustwire.fingerprint import fingerprint
from faustwire.header import read_fields
from faustwire.messages import Event, OwnProgram
from faustwire.recording import Item, RecordedWorker, Recording, recorded_worker

# Of one worker: the bridge publishes one, has one waiting, and may settle on one later.
_MAX_PENDING = 8
_MAX_WORKERS = 2048
# A thousand of the largest models seen so far; a stranger's file may hold larger ones.
_MAX_BYTES = 64 * 2**20


def recorded_workers(found: Recording) -> list[RecordedWorker]:
    """Each incarnation of a worker in a recording, in the order in which they came."""
    workers: dict[str, RecordedWorker] = {}
    for channel in found.channels():
        worker = recorded_worker(channel.metadata)
        if worker is not None:
            workers.setdefault(worker.hello.incarnation, worker)
    return list(workers.values())


def check_names(found: Recording, names: Iterable[str]) -> None:
    """Check that each of the names is one of a worker in the recording.

    Args:
        found: the recording.
        names: as people write them, see ``worker_name``.

    Raises:
        RecordingError: one of them is nobody's; says which there are.
    """
    there = recorded_workers(found)
    for name in names:
        if not any(worker.is_called(name) for worker in there):
            known = ", ".join(dict.fromkeys(worker.name for worker in there)) or "nobody"
            raise RecordingError(f"no worker is called {name!r}; there are: {known[:500]}")


class Publications:
    """Tells which messages were published, from the events that were recorded after them."""

    def __init__(self) -> None:
        self._pending: dict[str, OrderedDict[int, Item]] = {}
        self._bytes = 0

    def published_by(self, item: Item) -> Item | None:
        """Find the message that an item of the recording says was published.

        Args:
            item: the next one; all items have to be passed, in the order of the recording.

        Returns:
            The Snapshot or OwnProgram, as it came, that this event says was published; None: the
            item is not such an event. A Snapshot may be published again later, when its worker is
            chosen.
        """
        try:
            match item.topic:
                case recording.IN:
                    self._await(item)
                case recording.EVENT:
                    return self._published(item)
        except MessageError:
            pass  # Reported by whoever decodes it.
        return None

    def _await(self, item: Item) -> None:
        incarnation = item.metadata.get("incarnation")
        seq = read_fields(item.data, "seq").get("seq")
        if incarnation is None or not isinstance(seq, int):
            return
        pending = self._pending.setdefault(incarnation, OrderedDict())
        self._forget(pending, seq)  # Sent again.
        pending[seq] = item
        self._bytes += len(item.data)
        if len(pending) > _MAX_PENDING:
            self._forget(pending, next(iter(pending)))
        while self._bytes > _MAX_BYTES or len(self._pending) > _MAX_WORKERS:
            oldest = next(iter(self._pending))
            for each in list(self._pending[oldest]):
                self._forget(self._pending[oldest], each)
            del self._pending[oldest]

    def _forget(self, pending: OrderedDict[int, Item], seq: int) -> None:
        item = pending.pop(seq, None)
        if item is not None:
            self._bytes -= len(item.data)

    def _published(self, item: Item) -> Item | None:
        event = codec.decode(item.data)
        if not isinstance(event, Event) or event.kind not in PUBLISHED:
            return None
        for waiting in reversed(self._pending.get(event.incarnation, OrderedDict()).values()):
            if event.call is None and _is_source_of(waiting, event.program):
                return waiting
            if event.call is not None and read_fields(waiting.data, "call") == {"call": event.call}:
                return waiting
        return None


def _is_source_of(item: Item, program: str) -> bool:
    """Whether a message is the OwnProgram with that hash; an event about one names no call."""
    if read_fields(item.data, "type") != {"type": "source"}:
        return False
    source = codec.decode(item.data)
    return isinstance(source, OwnProgram) and fingerprint(source.program) == program
