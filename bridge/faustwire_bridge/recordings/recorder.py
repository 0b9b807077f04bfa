"""What the shell tells a recording: every input of the core, and all that leaves the bridge."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from faustwire import codec, recording
from faustwire.errors import FaustwireError
from faustwire.header import Header, read_header
from faustwire.messages import Event, Heard, Hello, Message, Reason, Verdict
from faustwire_bridge.core import events
from faustwire_bridge.core.events import User
from faustwire_bridge.recordings import journal, metadata
from faustwire_bridge.recordings.heard_messages import without_snapshot
from faustwire_bridge.recordings.held_snapshots import Held, HeldSnapshots
from faustwire_bridge.recordings.requests import Requests

if TYPE_CHECKING:
    from typing import TypeGuard

    from faustwire.recording import Channel, RecordingWriter

# Connections that are told apart; whoever reconnects says Hello again.
_MAX_PEERS = 2048
# Connections that never say Hello, as those that steer, are told apart up to here.
_MAX_STRANGERS = 256


class _Peer(NamedTuple):
    """Who is on a connection; ``hello`` is None for a stranger."""

    user: User | None
    hello: Hello | None = None


_STRANGER = _Peer(None)


class Recorder:
    """Takes down what the shell of a bridge sees; none of its methods raises.

    Times are those of ``time.monotonic_ns``, from which the core's ``now`` is made.
    """

    def __init__(
        self, writer: RecordingWriter, offset_ns: int, *, published_only: bool = False
    ) -> None:
        """Begin.

        Args:
            writer: where it goes.
            offset_ns: from the monotonic clock to Unix time.
            published_only: leave out the snapshots that are not published.
        """
        self._writer = writer
        self._offset_ns = offset_ns
        self._held = HeldSnapshots() if published_only else None
        self._peers: OrderedDict[bytes, _Peer] = OrderedDict()
        self._strangers = 0
        self._channels: dict[tuple[str, bytes], Channel] = {}
        self._hello: tuple[int, bytes, bytes, User | None] | None = None
        self._requests = Requests()

    @property
    def problem(self) -> str | None:
        """Why it has stopped, a sentence; None: it has not."""
        return self._writer.problem

    @property
    def path(self) -> str:
        """The file that is written now."""
        return str(self._writer.path)

    def arrived(self, now_ns: int, peer: bytes, data: bytes, user: User | None = None) -> None:
        """One frame came from a peer, and has not been handled yet.

        Args:
            now_ns: when the bridge took it up, in ns of ``time.monotonic_ns``.
            peer: ZeroMQ's routing id of the connection.
            data: the frame's bytes.
            user: whose key the peer has; None: it needed none.
        """
        self._place_hello()
        # On the way of every message: a look is worth it only where it can find something.
        looks = self._held is not None or b"hello" in data
        seen = read_header(data) if looks else None
        if seen is not None and seen.type == "hello":
            # It belongs to the channel of the worker that the core meets by it, if it does.
            self._hello = (now_ns, peer, data, user)
            return
        if peer not in self._peers:
            self._meet(peer, _Peer(user))
        channel, hello = self._channel(recording.IN, peer), self._peers[peer].hello
        if self._held is not None and hello is not None and _is_snapshot(seen):
            self._held.put(hello.incarnation, Held(channel, seen.seq, seen.call, data))
        else:
            self._write(now_ns, channel, data)

    def identified(self, peer: bytes, hello: Hello, user: User | None) -> None:
        """The core has met a worker; to be called before its Welcome is sent.

        Args:
            peer: ZeroMQ's routing id of the connection.
            hello: what the worker said about itself.
            user: whose key the worker has; None: it needed none.
        """
        self._meet(peer, _Peer(user, hello))
        self._place_hello()

    def took(self, now_ns: int, event: events.CoreEvent) -> None:
        """The core is about to take an event that is not a message of one frame.

        Args:
            now_ns: when it takes the event, in ns of ``time.monotonic_ns``.
            event: what it takes.
        """
        self._place_hello()
        self._write(now_ns, recording.of_bridge(recording.CORE), journal.encode(event))
        if isinstance(event, events.Lost):
            self._forget(event.peer)

    def sent(self, now_ns: int, peer: bytes, data: bytes, message: Message) -> None:
        """A message was sent to a peer.

        Args:
            now_ns: when the core decided to send it, in ns of ``time.monotonic_ns``.
            peer: ZeroMQ's routing id of the connection.
            data: the message's bytes, as they were sent.
            message: the same message, decoded.
        """
        self._place_hello()
        hello = self._peers.get(peer, _STRANGER).hello
        if hello is not None and isinstance(message, Verdict):
            if message.published:
                self._release(now_ns, hello.incarnation, seq=message.seq)
            elif message.reason is Reason.SUPERSEDED and self._held is not None:
                # A newer one goes in its stead, and must not push the one being judged out.
                self._held.take(hello.incarnation, seq=message.seq)
        self._write(now_ns, self._channel(recording.OUT, peer), data)

    def happened(self, now_ns: int, event: Event) -> None:
        """Something happened that people are told.

        Args:
            now_ns: when it happened, in ns of ``time.monotonic_ns``.
            event: what happened.
        """
        self._place_hello()
        if event.program and event.call is not None:
            self._release(now_ns, event.incarnation, call=event.call)
        try:
            data = codec.encode(event)
        except FaustwireError:
            return  # Its detail names a file whose name is not valid Unicode.
        self._write(now_ns, recording.of_bridge(recording.EVENT), data)

    def asked(self, now_ns: int, peer: bytes, data: bytes, user: User | None = None) -> bool:
        """A listener asked; what ``Requests`` does not keep is left out.

        Args:
            now_ns: when the bridge took it up, in ns of ``time.monotonic_ns``.
            peer: ZeroMQ's routing id of the connection.
            data: the frame's bytes.
            user: whose key the peer has; None: it needed none.

        Returns:
            Whether it was taken down.
        """
        if not self._requests.is_new(now_ns, peer, data, user):
            return False
        self.arrived(now_ns, peer, data, user)
        self._requests.note(peer, data)
        return True

    def heard(self, now_ns: int, peer: bytes, message: Heard) -> None:
        """A listener was sent a snapshot, whose bytes are in the recording where they came in.

        Args:
            now_ns: when it was sent, in ns of ``time.monotonic_ns``.
            peer: ZeroMQ's routing id of the connection.
            message: what was sent.
        """
        self._place_hello()
        if self._requests.is_new_answer(peer, message):
            self._write(now_ns, self._channel(recording.OUT, peer), without_snapshot(message))

    def tick(self, now_ns: int) -> None:
        """Time has passed; to be called at least every half second."""
        self._place_hello()
        self._writer.tick(now_ns + self._offset_ns)

    def flush(self) -> None:
        """Hand all that was recorded so far to the system, so that readers find it."""
        self._place_hello()
        self._writer.flush()

    def close(self) -> None:
        """End the recording."""
        self._place_hello()
        self._writer.close()

    def _write(self, now_ns: int, channel: Channel, data: bytes) -> None:
        self._writer.write(now_ns + self._offset_ns, channel, data)

    def _release(self, now_ns: int, incarnation: str, **which: int) -> None:
        """Keep a snapshot after all: it was published."""
        held = self._held.take(incarnation, **which) if self._held is not None else None
        if held is not None:
            self._write(now_ns, held.channel, held.data)

    def _place_hello(self) -> None:
        if self._hello is not None:
            now_ns, peer, data, user = self._hello
            self._hello = None
            if peer not in self._peers:
                self._meet(peer, _Peer(user))
            self._write(now_ns, self._channel(recording.IN, peer), data)

    # -- who is who --------------------------------------------------------------------------

    def _meet(self, peer: bytes, who: _Peer) -> None:
        self._forget(peer)
        self._peers[peer] = who
        while len(self._peers) > _MAX_PEERS:
            self._forget(next(iter(self._peers)))

    def _forget(self, peer: bytes) -> None:
        self._peers.pop(peer, None)
        self._requests.forget(peer)
        for topic in (recording.IN, recording.OUT):
            self._channels.pop((topic, peer), None)

    def _channel(self, topic: str, peer: bytes) -> Channel:
        channel = self._channels.get((topic, peer))
        if channel is None:
            channel = self._named(topic, peer)
            if peer in self._peers:
                self._channels[topic, peer] = channel
        return channel

    def _named(self, topic: str, peer: bytes) -> Channel:
        who = self._peers.get(peer, _STRANGER)
        name = who.user.name if who.user else None
        rights = who.user.rights if who.user else ()
        if who.hello is not None:
            return recording.of_worker(topic, peer, who.hello, name, rights)
        # Every channel costs, and anybody can open connections: from some point on they share one.
        self._strangers += topic == recording.IN
        shared = self._strangers > _MAX_STRANGERS
        return recording.of_peer(topic, b"" if shared else peer, name, rights)


def _is_snapshot(seen: Header | None) -> TypeGuard[Header]:
    return seen is not None and seen.type == "snapshot"


def begin(
    target: str,
    *,
    dsp_path: str,
    rules: Mapping[str, str],
    published_only: bool = False,
    rotation: recording.Rotation | None = None,
) -> Recorder:
    """Begin a recording.

    Args:
        target: a file that ends in ``.mcap``, else a folder; no file is overwritten.
        dsp_path: what the bridge keeps; its stem is part of the files' names.
        rules: what decides, by name, for whoever decides again.
        published_only: leave out the snapshots that are not published.
        rotation: when to begin another file.

    Raises:
        OSError: the file can't be made.
    """
    now_ns = time.time_ns()
    # Fixed here: the monotonic clock goes on evenly when somebody sets the other one.
    offset_ns = now_ns - time.monotonic_ns()
    said = metadata.of_bridge(dsp_path, offset_ns, published_only=published_only)
    stem = Path(dsp_path).stem
    writer = recording.RecordingWriter(
        target, now_ns, {**said, **rules}, stem=stem, rotation=rotation
    )
    return Recorder(writer, offset_ns, published_only=published_only)
