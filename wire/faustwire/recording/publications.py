"""What a replay, a table and an export ask of a recording: whose, which, published or not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from faustwire import codec, recording
from faustwire.errors import MessageError, RecordingError
from faustwire.fingerprint import fingerprint
from faustwire.header import glance
from faustwire.messages import Event, Hello, Source
from faustwire.recording import Item, Recording

# Kinds of events that say so.
PUBLISHED = ("published", "settled")
# Of one worker; the bridge has one at work, one that waits, and one that settles later.
_MAX_PENDING = 8
_MAX_WORKERS = 2048
# A thousand of the largest models that were ever seen; a file from a stranger may have others.
_MAX_BYTES = 64 * 2**20


def is_meant(name: str, hello: Hello) -> bool:
    """Whether a worker is the one called ``name``, or ``name#`` and how its incarnation begins."""
    worker, _, incarnation = name.partition("#")
    return name == hello.worker or (
        bool(incarnation) and worker == hello.worker and hello.incarnation.startswith(incarnation)
    )


def incarnations(found: Recording) -> list[Hello]:
    """What each worker said that is in a recording, in the order in which they came."""
    hellos: dict[str, Hello] = {}
    for channel in found.channels():
        hello = recording.hello(channel.metadata)
        if hello is not None:
            hellos.setdefault(hello.incarnation, hello)
    return list(hellos.values())


def check_names(found: Recording, names: Iterable[str]) -> None:
    """Raise RecordingError for a name that means nobody."""
    there = incarnations(found)
    for name in names:
        if not any(is_meant(name, hello) for hello in there):
            known = ", ".join(dict.fromkeys(hello.worker for hello in there)) or "nobody"
            raise RecordingError(f"no worker is called {name!r}; there are: {known[:500]}")


def exactly(found: Recording, call: int, worker: str | None) -> Item:
    """The snapshot of one call of one worker.

    Args:
        found: where it is.
        call: its number.
        worker: as in ``is_meant``; None: there is only one.

    Raises:
        RecordingError: it is not in it, or of several workers.
    """
    if worker is not None:
        check_names(found, [worker])
    exact: dict[str, Item] = {}
    following: list[int] = []
    for hello in incarnations(found):
        if worker is not None and not is_meant(worker, hello):
            continue
        item = found.find(call, f"{hello.worker}#{hello.incarnation}")
        if item is None:
            continue
        number = glance(item.data, "call").get("call")
        if number == call:
            exact[f"{hello.worker}#{hello.incarnation[:4]}"] = item
        elif isinstance(number, int):
            following.append(number)
    if len(exact) > 1:
        raise RecordingError(f"call {call} is there of {', '.join(exact)}: say of which --worker")
    if exact:
        return next(iter(exact.values()))
    hint = f"; the next one is {min(following)}" if following else ""
    raise RecordingError(f"call {call} of {worker or 'any worker'} is not recorded{hint}")


class Publications:
    """Tells which message is published by what was recorded later; takes a recording in order."""

    def __init__(self) -> None:
        self._pending: dict[str, OrderedDict[int, Item]] = {}
        self._bytes = 0

    def take(self, item: Item) -> Item | None:
        """Take the next item: a worker's message or an event.

        Returns:
            The Snapshot or Source, as it came, that is published by this event. A Snapshot may be
            so more than once: when somebody chooses its worker again.
        """
        try:
            match item.topic:
                case recording.IN:
                    self._await(item)
                case recording.EVENT:
                    return self._published(item)
        except MessageError:
            pass  # Whoever decodes it tells.
        return None

    def _await(self, item: Item) -> None:
        incarnation = item.metadata.get("incarnation")
        seq = glance(item.data, "seq").get("seq")
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
            if event.call is not None and glance(waiting.data, "call") == {"call": event.call}:
                return waiting
        return None


def _is_source_of(item: Item, program: str) -> bool:
    """Whether a message is the Source with that hash; an event about one names no call."""
    if glance(item.data, "type") != {"type": "source"}:
        return False
    source = codec.decode(item.data)
    return isinstance(source, Source) and fingerprint(source.code) == program
