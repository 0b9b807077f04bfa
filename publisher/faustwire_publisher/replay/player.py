"""``Replay``: a recording, pushed again."""

from __future__ import annotations

import math
import os
import secrets
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from faustwire.errors import FaustwireError
from faustwire.key_ring import KeyRing
from faustwire.messages import Hello, Verdict
from faustwire.recording import Damage, Recording
from faustwire.recording.publications import check_names, exactly
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH, rendezvous
from faustwire_publisher.arguments import knows, number, remote_endpoint
from faustwire_publisher.bridge_process import EmbeddedBridge
from faustwire_publisher.client import Client
from faustwire_publisher.errors import ArgumentError
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.replay.pace import Pace
from faustwire_publisher.replay.states import Left, Position, State, States, position
from faustwire_publisher.replay.worker import Worker

if TYPE_CHECKING:
    from typing_extensions import Self

# As long as HotReload waits for a bridge that has to be started.
_TIMEOUT_SECONDS = 5.0
# Workers that are connected at a time; of more, the one that has been quiet longest leaves.
_MAX_WORKERS = 64
_FORWARD, _BACK = 1, -1


class ReplayError(FaustwireError, RuntimeError):
    """A replay that can't go on; the text says why."""


@dataclass(frozen=True)
class Played:
    """A state that was sent.

    Attributes:
        state: what it was.
        seconds: where in the recording.
        ticket: on its way, or answered.
    """

    state: State
    seconds: float
    ticket: Ticket

    @property
    def verdict(self) -> Verdict | None:
        """The bridge's answer; None while there is none."""
        return self.ticket.verdict


class Replay:
    """Push a recording to a bridge as the workers that it came from.

    Iterate over it, or ``run`` it. Each recorded incarnation of a worker becomes one of its own:
    the name, ``every`` and ``settle`` are the recorded ones, host and process are this one's.
    The bytes of a snapshot are the recorded ones but for ``force``, and for ``seq`` where going
    back needs a new one. To be closed, best by ``with``.

    Args:
        paths: files of recordings, or folders of them.
        endpoint: ZeroMQ endpoint of the bridge; default: as in HotReload, the environment's
            FAUSTWIRE_ENDPOINT, else a bridge on this machine, started when there is none.
        dsp_path: of that bridge, as in HotReload.
        config_path: of that bridge, as in HotReload.
        speed: recorded seconds a second. ``min_interval`` is divided by it, so that as many are
            throttled. ``math.inf``: each state as soon as the last has its verdict;
            ``min_interval`` stays what it was.
        start: where to begin: seconds, "12.5s", or "call:300" of each worker ("step:300" is the
            same).
        end: where to end, included; as ``start``.
        workers: names of those whose states are sent; default: all.
        loop: start again at the end.
        follow_verdicts: send just what was published then, when it was, forced, and wait for each
            verdict. A bridge that has just been started then writes the same programs.
        paused: begin standing still.
        timeout: seconds to wait for a verdict.
        keys: the folder of this machine's keys, as in HotReload.

    Raises:
        ValueError: an argument makes no sense (``faustwire.errors.FaustwireError`` covers all).
        OSError: a file can't be read.

    Attributes:
        endpoint: the endpoint in use.
        states: what is to be sent.
        pace: when.
        sent: how many were sent.
    """

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        endpoint: str | None = None,
        dsp_path: str | Path = DSP_PATH,
        config_path: str | Path = CONFIG_PATH,
        speed: float = 1.0,
        start: str | float | Position | None = None,
        end: str | float | Position | None = None,
        workers: Sequence[str] = (),
        loop: bool = False,
        follow_verdicts: bool = False,
        paused: bool = False,
        timeout: float = _TIMEOUT_SECONDS,
        keys: str | Path | None = None,
    ) -> None:
        if speed != math.inf:
            number("speed", speed, above=0)
        self._timeout = number("timeout", timeout, above=0)
        if isinstance(workers, str):
            raise ArgumentError(f"workers={workers!r}: give a list of names")
        found = Recording(paths)
        check_names(found, workers)
        self.states = States(
            found,
            workers=workers,
            start=position(start),
            end=position(end),
            published=follow_verdicts,
        )
        self.pace = Pace(speed, paused=paused)
        self.sent = 0
        self._throttle_speed = 1.0 if math.isinf(speed) else speed
        self._loop = loop
        self._follows = follow_verdicts
        place = rendezvous(dsp_path)
        remote = endpoint or os.environ.get("FAUSTWIRE_ENDPOINT")
        self.endpoint = remote_endpoint(remote) if remote else place.endpoint
        self._keyring = KeyRing(keys) if remote else None
        self._encrypted = self._keyring is not None and knows(self._keyring, self.endpoint, keys)
        self._embedded = None if remote else EmbeddedBridge(place, str(config_path))
        self._cast: OrderedDict[str, Worker] = OrderedDict()
        self._moves: deque[int] = deque()
        self._sought_ns: int | None = None
        self._stopped = False
        self._news = threading.Event()

    # -- playing -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Played]:
        """Send one state after the other, each when its time has come."""
        while True:
            before = self.sent
            yield from self._once()
            # A worker of the next round is another one, whose calls start again.
            self._leave()
            if not self._loop or self._stopped or self.sent == before:
                return

    def run(self) -> int:
        """Send all of it.

        Returns:
            How many states were sent.

        Raises:
            ReplayError: there is no bridge, or it has gone.
        """
        return sum(1 for _ in self)

    def step(self, call: int, worker: str | None = None) -> Played:
        """Publish exactly one state, forced: what a worker sent with its ``call``-th call.

        A recording goes on from there.

        Args:
            call: its number.
            worker: the name, if there are several.

        Raises:
            RecordingError: it is not in the recording, or not of one worker alone.
            ReplayError: there is no bridge.
        """
        item = exactly(self.states.recording, call, worker)
        state = self.states.state(item)
        if not isinstance(state, State):
            raise ReplayError(f"call {call} is of a worker that was not chosen")
        self.seek(state.at_ns + 1)
        return self._play(state, force=True)

    # -- steering, from any thread -----------------------------------------------------------

    def pause(self, *, paused: bool = True) -> None:
        """Stand still, or go on."""
        self.pace.pause(time.monotonic(), paused=paused)
        self._news.set()

    def forward(self) -> None:
        """Send the next state at once, forced."""
        self._moves.append(_FORWARD)
        self._news.set()

    def back(self) -> None:
        """Send the one before at once, forced."""
        self._moves.append(_BACK)
        self._news.set()

    def change_speed(self, speed: float) -> None:
        """Go on at another speed; the workers' ``min_interval`` stays as it was at the start."""
        self.pace.change_speed(number("speed", speed, above=0), time.monotonic())
        self._news.set()

    def seek(self, at_ns: int) -> None:
        """Go on at a time of the recording, in ns on its clock."""
        self._sought_ns = at_ns
        self._news.set()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True
        self._news.set()

    @property
    def damage(self) -> list[Damage]:
        """What of the recording could not be read so far."""
        return self.states.recording.damage

    def close(self) -> None:
        """Wait for the last verdicts, say Bye for every worker, and leave."""
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- inside ------------------------------------------------------------------------------

    def _once(self) -> Iterator[Played]:
        ahead = self._go_to(self.states.first_ns)
        while True:
            upcoming = ahead.peek()
            if upcoming is None and not self.pace.paused and not self._moves:
                return
            if isinstance(upcoming, State) and upcoming.after_silence:
                self.pace.go_to(self.states.seconds(upcoming.at_ns), time.monotonic())
            move = self._wait_for(upcoming)
            if self._stopped:
                return
            if self._sought_ns is not None:
                ahead = self._go_to(self._sought_ns)
                continue
            state = ahead.back() if move == _BACK else ahead.take()
            while move == _FORWARD and isinstance(state, Left):
                state = ahead.take()
            if isinstance(state, Left):
                self._part(state.incarnation)
            elif state is not None and self.states.will_be_answered(state):
                if move:
                    self.pace.go_to(self.states.seconds(state.at_ns), time.monotonic())
                yield self._play(state, force=bool(move) or self._follows)

    def _go_to(self, at_ns: int) -> _Ahead:
        if self._sought_ns is not None:
            at_ns, self._sought_ns = self._sought_ns, None
        self.pace.go_to(self.states.seconds(at_ns), time.monotonic())
        return _Ahead(self.states, at_ns)

    def _wait_for(self, upcoming: State | Left | None) -> int:
        """Wait until it is time, or somebody says otherwise: which way, 0 for neither."""
        while True:
            self._news.clear()
            if self._moves:
                return self._moves.popleft()
            patience = None if self.pace.paused else 0.0
            if upcoming is not None:
                at = self.states.seconds(upcoming.at_ns)
                patience = self.pace.wait(at, time.monotonic())
            if patience == 0 or self._stopped or self._sought_ns is not None:
                return 0
            self._news.wait(patience)

    def _play(self, state: State, *, force: bool) -> Played:
        worker = self._worker(state.hello)
        ticket = worker.submit(state, force=force)
        self.sent += 1
        in_turn = force or math.isinf(self.pace.speed)
        if in_turn and ticket.wait(self._timeout) is None:
            raise ReplayError(self._no_bridge(worker.client))
        return Played(state, self.states.seconds(state.at_ns), ticket)

    # -- the workers -------------------------------------------------------------------------

    def _worker(self, hello: Hello) -> Worker:
        """Who sends what this one sent; comes when it is first needed."""
        worker = self._cast.get(hello.incarnation)
        if worker is None:
            if len(self._cast) >= _MAX_WORKERS:
                self._part(next(iter(self._cast)))
            own = replace(
                hello,
                incarnation=secrets.token_hex(8),
                host=socket.gethostname(),
                pid=os.getpid(),
                min_interval=hello.min_interval / self._throttle_speed,
                # What settled is sent again when it did.
                settle=hello.settle and not self._follows,
            )
            revive = None if self._embedded is None else self._embedded.revive
            client = Client(
                self.endpoint, own, revive, keyring=self._keyring, encrypted=self._encrypted
            )
            worker = self._cast[hello.incarnation] = Worker(client)
            if not worker.is_met(self._timeout):
                raise ReplayError(self._no_bridge(worker.client))
        self._cast.move_to_end(hello.incarnation)
        return worker

    def _part(self, incarnation: str) -> None:
        worker = self._cast.pop(incarnation, None)
        if worker is not None:
            worker.leave(self._timeout)

    def _leave(self) -> None:
        while self._cast:
            self._part(next(iter(self._cast)))

    def _no_bridge(self, client: Client) -> str:
        what = f"no bridge answers at {self.endpoint}"
        if client.bridge is not None:
            what = f"the bridge at {self.endpoint} (pid {client.bridge.pid}) does not answer"
        return what + (f" ({client.trouble})" if client.trouble else "")


class _Ahead:
    """The states from some time on, with a way back."""

    def __init__(self, states: States, at_ns: int) -> None:
        self._states = states
        self._coming = states.since(at_ns)
        self._next: State | Left | None = next(self._coming, None)
        # Whoever seeks the moment after a state has that one already.
        self._last_ns = at_ns - 1

    def peek(self) -> State | Left | None:
        """What comes next; None: nothing does."""
        return self._next

    def take(self) -> State | Left | None:
        """What comes next, and go on."""
        taken, self._next = self._next, next(self._coming, None)
        if isinstance(taken, State):
            self._last_ns = taken.at_ns
        return taken

    def back(self) -> State | None:
        """The state before the last one; None: there is none."""
        found = self._states.before(self._last_ns)
        if found is not None:
            self._coming = self._states.since(found.at_ns + 1)
            self._next, self._last_ns = next(self._coming, None), found.at_ns
        return found
