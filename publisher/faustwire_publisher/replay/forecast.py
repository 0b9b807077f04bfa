"""How much of what was published can be heard again, when it is played faster than it was."""

from __future__ import annotations

from collections.abc import Iterator

from faustwire import codec, recording
from faustwire.bridge_state import PUBLISHED, Event
from faustwire.errors import MessageError
from faustwire.limits import COST_MULTIPLE
from faustwire_publisher.replay.states import States


def forecast(states: States, speed: float) -> str | None:
    """Say before a replay begins what will be heard of it.

    Args:
        states: what is to be sent.
        speed: recorded seconds a second.

    Returns:
        A sentence, if fewer programs would be heard than were published; None: all, or there are
        none.
    """
    heard = published = 0
    free_at = -1.0
    for at, compile_seconds in _publications(states):
        published += 1
        if at / speed >= free_at:
            heard += 1
            free_at = at / speed + COST_MULTIPLE * compile_seconds
    if heard == published:
        return None
    return (
        f"about {heard} of {published} published would be heard at ×{speed:g}: a reload takes "
        f"as long as in the run; --published {speed:g} --force plays all of them, with gaps"
    )


def _publications(states: States) -> Iterator[tuple[float, float]]:
    """Of each program that was written: seconds since the beginning, and of its compile."""
    meant = {worker.hello.incarnation for worker in states.meant}
    events = states.recording.items(
        start_ns=states.first_ns, end_ns=states.last_ns, topics={recording.EVENT}
    )
    for item in events:
        try:
            event = codec.decode(item.data)
        except MessageError:
            continue  # Told by whoever plays it.
        if not isinstance(event, Event) or event.kind not in PUBLISHED:
            continue
        if event.incarnation in meant:
            yield states.seconds(item.at_ns), event.compile_seconds or 0.0
