"""Snapshots of which it is not known yet whether a recording keeps them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from faustwire.recording import Channel

# Snapshots of which it is not known yet whether they will be published: the one being judged, the
# one that waits, and the newest one that time has turned down.
_MAX_OF_WORKER = 3
MAX_BYTES = 64 * 2**20


class Held(NamedTuple):
    """A snapshot that is held.

    Attributes:
        channel: where it belongs in the recording.
        seq, call: its numbers, where it has them.
        data: its bytes, as they came.
    """

    channel: Channel
    seq: int | None
    call: int | None
    data: bytes


class HeldSnapshots:
    """Snapshots that are kept only if they are published, the last few of each worker."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, list[Held]] = OrderedDict()
        self._bytes = 0

    def put(self, incarnation: str, held: Held) -> None:
        """Hold one; where there are too many, the oldest are released.

        Args:
            incarnation: whose it is.
            held: the snapshot.
        """
        row = self._held.setdefault(incarnation, [])
        self._held.move_to_end(incarnation)
        row.append(held)
        self._bytes += len(held.data)
        while len(row) > _MAX_OF_WORKER or (self._bytes > MAX_BYTES and len(row) > 1):
            self._bytes -= len(row.pop(0).data)
        while self._bytes > MAX_BYTES and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._bytes -= sum(len(one.data) for one in oldest)

    def take(
        self, incarnation: str, *, seq: int | None = None, call: int | None = None
    ) -> Held | None:
        """The one with that number, or of that call, which is held no longer.

        Args:
            incarnation: whose it is.
            seq: its number on the connection.
            call: the call that it is of.

        Returns:
            The snapshot; None: none of that worker is held that has this number or call.
        """
        row = self._held.get(incarnation, [])
        for held in row:
            if held.seq == seq or (call is not None and held.call == call):
                row.remove(held)
                self._bytes -= len(held.data)
                return held
        return None
