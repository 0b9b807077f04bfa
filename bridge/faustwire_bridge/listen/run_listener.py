"""Listening to one run of a bridge: one request after the other, each for what is newer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

from faustwire.errors import FaustwireError
from faustwire.messages import Heard, Listen, Rejection
from faustwire.terminal import printable
from faustwire_bridge.listen.sound import PageSound, Refused, hearing_of, read_sound
from faustwire_bridge.monitor.monitor_socket import MonitorSocket, is_unknown_to
from faustwire_bridge.monitor.target import Target

_SLICE_SECONDS = 0.2
# A bridge forgets who has not asked for ten seconds; what was lost is asked for again.
_AGAIN_SECONDS = 3.0
_DECLINED_SECONDS = 2.0


class RunListener:
    """Listens to one run, in a thread of its own, until ``stop``."""

    def __init__(
        self,
        bridge: Target,
        run: str,
        *,
        after: int,
        heard: Callable[[Heard, PageSound | Refused], None],
        declined: Callable[[str], None],
    ) -> None:
        """Begin.

        Args:
            bridge: which.
            run: incarnation of the worker.
            after: only what is newer than this call is wanted.
            heard: is called with each snapshot, in that thread; the next is asked for afterwards.
            declined: is called when the bridge declines, with what it says.
        """
        self._bridge = bridge
        self._run = run
        self._heard = heard
        self._declined = declined
        self._stop = threading.Event()
        self._after = after
        self._asked: tuple[object, float] = (None, 0.0)
        threading.Thread(target=self._listen, name=f"ear {run[:8]}", daemon=True).start()

    def stop(self) -> None:
        """Hear no more."""
        self._stop.set()

    def _listen(self) -> None:
        while not self._stop.is_set():
            self._listen_once()

    def _listen_once(self) -> None:
        try:
            with closing(self._bridge.line()) as line:
                self._listen_over(line)
        except FaustwireError as problem:
            self._declined(str(problem))
            self._stop.wait(_DECLINED_SECONDS)

    def _listen_over(self, line: MonitorSocket) -> None:
        while not self._stop.is_set():
            if not line.settle(_SLICE_SECONDS) or not self._has_asked(line):
                continue
            message = line.receive(_SLICE_SECONDS)
            if isinstance(message, Heard) and message.incarnation == self._run:
                self._after, self._asked = message.call, (None, 0.0)
                hearing = hearing_of(message)
                self._heard(message, read_sound(message.snapshot, self._run, message.call, hearing))
            elif isinstance(message, Rejection):
                self._declined(_why(message))
                self._stop.wait(_DECLINED_SECONDS)

    def _has_asked(self, line: MonitorSocket) -> bool:
        now = time.monotonic()
        standing, asked_at = self._asked
        if standing == line.standing and now < asked_at + _AGAIN_SECONDS:
            return True
        if not line.send(Listen(self._run, self._after)):
            # The monitor tells of a connection a little before the socket can send.
            time.sleep(0.005)
            return False
        self._asked = line.standing, now
        return True


def _why(answer: Rejection) -> str:
    if is_unknown_to(answer):
        return "the bridge is of an older version, which lets nobody listen: install the same there"
    return f"the bridge lets nobody listen: {printable(answer.detail)}"
