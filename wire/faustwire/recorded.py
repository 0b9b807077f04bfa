"""What a replay, a table and an export ask of a recording: whose, which, published or not."""

from __future__ import annotations

from faustwire import codec, recording
from faustwire.errors import MessageError, RecordingError
from faustwire.glance import glance
from faustwire.messages import Event, Hello
from faustwire.recording import Item, Recording

_PUBLISHED = ("published", "settled")


def is_meant(name: str, hello: Hello) -> bool:
    """Whether a worker is the one called ``name``, or ``name#`` and how its incarnation begins."""
    worker, _, incarnation = name.partition("#")
    return name == hello.worker or (
        bool(incarnation) and worker == hello.worker and hello.incarnation.startswith(incarnation)
    )


def workers(found: Recording) -> list[str]:
    """The names of the workers, in the order in which they came."""
    names = (channel.metadata.get("worker") for channel in found.channels())
    return list(dict.fromkeys(name for name in names if name is not None))


def exactly(found: Recording, call: int, worker: str | None) -> Item:
    """The snapshot of one call of one worker.

    Args:
        found: where it is.
        call: its number.
        worker: as in ``is_meant``; None: there is only one.

    Raises:
        RecordingError: it is not in it, or of several workers.
    """
    items: dict[str, Item] = {}
    for name in [worker] if worker is not None else workers(found):
        item = found.find(call, name)
        if item is not None:
            items[item.metadata.get("worker", "")] = item
    exact = {
        name: item for name, item in items.items() if glance(item.data, "call") == {"call": call}
    }
    if len(exact) > 1:
        raise RecordingError(f"call {call} is there of {', '.join(exact)}: say of which --worker")
    if exact:
        return next(iter(exact.values()))
    later = [str(glance(item.data, "call")["call"]) for item in items.values()]
    hint = f"; the next one is {', '.join(later)}" if later else ""
    raise RecordingError(f"call {call} of {worker or 'any worker'} is not recorded{hint}")


def publication(item: Item) -> tuple[str, int | None, int | None]:
    """(incarnation, call, seq) of what an event or a verdict says is published; "": of nothing.

    Snapshots by the event, which names a call and may come later than the verdict. A Source has no
    call, so its verdict tells.
    """
    try:
        if item.topic == recording.EVENT:
            event = codec.decode(item.data)
            if isinstance(event, Event) and event.kind in _PUBLISHED and event.call is not None:
                return event.incarnation, event.call, None
        else:
            seen = glance(item.data, "seq", "published")
            if seen.get("published") is True and isinstance(seen.get("seq"), int):
                return item.metadata.get("incarnation", ""), None, seen["seq"]
    except MessageError:
        pass
    return "", None, None
