"""The channels of a recording: their topics, and their metadata about peers and workers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faustwire.messages import Hello
from faustwire.worker_name import full_name, is_called

# Bytes as they came from a peer, and as they went to it.
IN = "in"
OUT = "out"
# Encoded Events.
EVENT = "event"
# Other input of the bridge's core, such as ticks and results of compiling.
CORE = "core"
# One message at the head of each chunk, which says which file the chunk belongs to.
MARK = "mark"

TOPICS = frozenset({IN, OUT, EVENT, CORE})
ENCODING = "msgpack"


@dataclass(frozen=True)
class Channel:
    """One channel: a topic, and text by name in the order in which it was written."""

    topic: str
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def metadata(self) -> dict[str, str]:
        """What it says about itself."""
        return dict(self.pairs)


def of_bridge(topic: str) -> Channel:
    """The channel of messages that belong to no peer."""
    return Channel(topic)


def of_peer(topic: str, peer: bytes, user: str | None, rights: Iterable[str]) -> Channel:
    """The channel of a peer that has not said Hello.

    Args:
        topic: ``IN`` or ``OUT``.
        peer: ZeroMQ's routing id of the connection; empty: several connections share it.
        user: the name that its key was enrolled under; None: it needed none.
        rights: of that key.
    """
    return Channel(topic, tuple(_peer(peer, user, rights).items()))


def of_worker(
    topic: str, peer: bytes, hello: Hello, user: str | None, rights: Iterable[str]
) -> Channel:
    """The channel of a worker on one of its connections.

    Args:
        topic: ``IN`` or ``OUT``.
        peer: ZeroMQ's routing id of the connection.
        hello: what the worker said about itself.
        user: the name that its key was enrolled under; None: it needed none.
        rights: of that key.
    """
    metadata = _peer(peer, user, rights) | {
        "worker": hello.worker,
        "incarnation": hello.incarnation,
        "host": hello.host,
        "pid": str(hello.pid),
        "every": str(hello.every),
        "min_interval": repr(hello.min_interval),
        "settle": str(hello.settle).lower(),
    }
    return Channel(topic, tuple((key, text(value)) for key, value in metadata.items()))


def hello(metadata: Mapping[str, str]) -> Hello | None:
    """The Hello that a channel's metadata describe; None: there was none, or it is not valid.

    The metadata may come from a stranger, so numbers are held to the limits of the codec.
    """
    try:
        made = Hello(
            worker=metadata["worker"],
            incarnation=metadata["incarnation"],
            host=metadata.get("host", ""),
            pid=int(metadata.get("pid", "0")),
            every=int(metadata.get("every", "1")),
            min_interval=float(metadata.get("min_interval", "0.5")),
            settle=metadata.get("settle") == "true",
        )
    except (KeyError, ValueError):
        return None
    sane = made.every >= 1 and made.pid >= 0 and 0 <= made.min_interval < math.inf
    return made if sane else None


@dataclass(frozen=True)
class RecordedWorker:
    """One incarnation of a worker, as a recording's channels describe it.

    Attributes:
        hello: what it said about itself.
        user: the name that its key was enrolled under; None: it needed none.
    """

    hello: Hello
    user: str | None = None

    @property
    def name(self) -> str:
        """The name that the bridge knew it by: ``USER/NAME``, or ``NAME`` without keys."""
        return full_name(self.hello.worker, self.user)

    def is_called(self, asked: str) -> bool:
        """Whether a person who writes ``asked`` means this worker.

        In a recording nobody can pass for somebody else any more, so the name alone will do where
        the bridge would want the user's as well.
        """
        names = (self.name, self.hello.worker)
        return any(is_called(asked, name, self.hello.incarnation) for name in names)


def recorded_worker(metadata: Mapping[str, str]) -> RecordedWorker | None:
    """The worker that a channel belongs to; None: it belongs to none."""
    said = hello(metadata)
    return None if said is None else RecordedWorker(said, metadata.get("user"))


def _peer(peer: bytes, user: str | None, rights: Iterable[str]) -> dict[str, str]:
    metadata = {"peer": peer.hex()}
    if user is not None:
        metadata |= {"user": text(user), "rights": " ".join(sorted(rights))}
    return metadata


def text(value: str) -> str:
    """The text with lone surrogates replaced, which file names may hold and UTF-8 can't."""
    return value.encode("utf-8", "replace").decode()
