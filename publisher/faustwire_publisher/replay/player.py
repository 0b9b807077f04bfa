"""``Replay``: a recording, pushed again."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from faustwire.messages import Hello
from faustwire.recording import Damage, Recording
from faustwire.recording.calls import find_call
from faustwire.recording.publications import check_names
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH
from faustwire_publisher.arguments import number
from faustwire_publisher.bridge_link import BridgeLink
from faustwire_publisher.client import Client
from faustwire_publisher.errors import ArgumentError
from faustwire_publisher.replay.cursor import Cursor
from faustwire_publisher.replay.pace import Pace
from faustwire_publisher.replay.played import Played, ReplayError
from faustwire_publisher.replay.restraint import Restraint, with_restraint
from faustwire_publisher.replay.states import (
    Position,
    RecordedBye,
    RecordedState,
    States,
    position,
)
from faustwire_publisher.replay.steering import Steering
from faustwire_publisher.replay.workers import NoWelcomeError, ReplayedWorkers

if TYPE_CHECKING:
    from typing_extensions import Self

# As long as HotReload waits for a bridge that has to be started.
_TIMEOUT_SECONDS = 5.0


class Replay(Steering):
    """Push a recording to a bridge as the workers that it came from.

    Iterate over it, or ``run`` it. Each recorded incarnation of a worker becomes one of its own:
    the name, ``every`` and ``settle`` are the recorded ones, host and process are this one's.
    The bytes of a snapshot are the recorded ones except ``force``, and ``seq`` where going back
    needs a new one. Close it after use, best by ``with``.

    Args:
        paths: files of recordings, or folders of them.
        endpoint: ZeroMQ endpoint of the bridge; default: as in HotReload, the environment's
            FAUSTWIRE_ENDPOINT, else a bridge on this machine, started when there is none.
        dsp_path: of that bridge, as in HotReload.
        config_path: of that bridge, as in HotReload.
        speed: recorded seconds a second. ``min_interval`` is divided by it, so that as many are
            throttled. ``math.inf``: each state as soon as the last has its verdict;
            ``min_interval`` stays what it was. Above 1 every reload leaves the plugin nine tenths
            of the time for sound: what comes sooner is left out, but for the last.
        start: where to begin: seconds, "12.5s", or "call:300" of each worker ("step:300" is the
            same).
        end: where to end, included; as ``start``.
        workers: names of those whose states are sent; default: all.
        loop: start again at the end.
        follow_verdicts: send just what was published then, when it was, forced, and wait for each
            verdict. A bridge that has just been started then writes the same programs, at a higher
            speed with ``force``.
        force: leave nothing out at a higher speed; the plugin drops out while it compiles.
        paused: begin standing still.
        timeout: seconds to wait for a verdict.
        keys: the folder of this machine's keys, as in HotReload.

    Raises:
        ValueError: an argument makes no sense (``faustwire.errors.FaustwireError`` covers all).
        OSError: a file can't be read.

    Attributes:
        endpoint: the endpoint in use.
        states: what is to be sent.
        pace: when they are sent.
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
        force: bool = False,
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
        self._names = list(workers)
        self.states = States(
            found,
            workers=workers,
            start=position(start),
            end=position(end),
            published=follow_verdicts,
        )
        super().__init__(Pace(speed, paused=paused))
        self.sent = 0
        self._throttle_speed = 1.0 if math.isinf(speed) else speed
        self._loop = loop
        self._follows = follow_verdicts
        self._force = force
        self._restraint = Restraint()
        self._link = BridgeLink(
            dsp_path=dsp_path, config_path=config_path, endpoint=endpoint, keys=keys
        )
        self.endpoint = self._link.endpoint
        self._workers = ReplayedWorkers(self._connect, self._timeout)

    # -- playing -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Played]:
        """Send one state after the other, each when its time has come.

        Raises:
            ReplayError: there is no bridge, or it has gone.
        """
        while True:
            before = self.sent
            yield from self._once()
            # A worker of the next round is another one, whose calls start again.
            self._workers.close()
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

    def step(self, call: int | str, worker: str | None = None) -> Played:
        """Publish exactly one state, forced: what a worker sent with its ``call``-th call.

        A recording goes on from there.

        Args:
            call: its number; or "last", "best:METRIC" or "best:METRIC:larger", see
                ``faustwire.recording.calls``.
            worker: the name, if ``workers`` leaves several.

        Raises:
            RecordingError: it is not in the recording, or not of one worker alone.
            ReplayError: there is no bridge.
        """
        item = find_call(self.states.recording, call, self._names if worker is None else [worker])
        state = self.states.state(item)
        if not isinstance(state, RecordedState):
            raise ReplayError(f"call {call} is of a worker that was not chosen")
        self.seek(state.at_ns + 1)
        return self._play(state, force=True)

    @property
    def damage(self) -> list[Damage]:
        """The damage found in the recording so far."""
        return self.states.recording.damage

    def close(self) -> None:
        """Wait for the last verdicts, and disconnect every worker."""
        self._workers.close()

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
        cursor = self._go_to(self.states.first_ns)
        while not self._is_over(cursor):
            held = self._restraint.held
            if held is not None and self._is_time_for_held(cursor.peek()):
                yield self._play(held, force=True)
                continue
            move = self._wait_for(cursor.peek())
            if self._stopped:
                return
            if self._sought_ns is not None:
                cursor = self._go_to(self._sought_ns)
                continue
            played = self._move(cursor, move)
            if played is not None:
                yield played

    def _move(self, cursor: Cursor, direction: int) -> Played | None:
        """Go to what comes next and send it, unless it is held back or nothing that is sent."""
        state = cursor.move(direction)
        if isinstance(state, RecordedBye):
            self._workers.leave(state.incarnation)
            return None
        if state is None or not self.states.will_be_answered(state):
            return None
        now = time.monotonic()
        if direction:
            self.pace.go_to(self.states.seconds(state.at_ns), now)
        elif self._is_restrained() and self._restraint.hold(state, now, forced=self._follows):
            return None
        return self._play(state, force=bool(direction) or self._follows)

    def _is_over(self, cursor: Cursor) -> bool:
        waits = self.pace.paused or self._moves or self._restraint.held is not None
        return cursor.peek() is None and not waits

    def _is_restrained(self) -> bool:
        return self.pace.speed > 1 and not self._force

    def _is_time_for_held(self, upcoming: RecordedState | RecordedBye | None) -> bool:
        """Wait until what is held may be heard, unless something else comes before."""
        if self.pace.paused or self._moves or self._stopped or self._sought_ns is not None:
            return False
        now = time.monotonic()
        comes_in = None
        if isinstance(upcoming, RecordedState):
            comes_in = self.pace.wait(self.states.seconds(upcoming.at_ns), now)
        patience = self._restraint.wait(now)
        self._news.clear()
        return (comes_in is None or comes_in > patience) and not self._news.wait(patience)

    def _go_to(self, at_ns: int) -> Cursor:
        if self._sought_ns is not None:
            at_ns, self._sought_ns = self._sought_ns, None
            self._restraint.held = None
        self.pace.go_to(self.states.seconds(at_ns), time.monotonic())
        return Cursor(self.states, at_ns)

    def _wait_for(self, upcoming: RecordedState | RecordedBye | None) -> int:
        """Wait until it is time, or somebody says otherwise: which way, 0 for neither."""
        if isinstance(upcoming, RecordedState) and upcoming.after_silence:
            self.pace.go_to(self.states.seconds(upcoming.at_ns), time.monotonic())
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

    def _play(self, state: RecordedState, *, force: bool) -> Played:
        try:
            worker = self._workers.worker(state.hello)
        except NoWelcomeError as problem:
            raise ReplayError(self._link.absence(problem.client, self._timeout)) from None
        ticket = worker.submit(state, force=force)
        self._restraint.note(ticket)
        self.sent += 1
        in_turn = force or math.isinf(self.pace.speed)
        if in_turn and ticket.wait(self._timeout) is None:
            raise ReplayError(self._link.absence(worker.client, self._timeout))
        return Played(state, self.states.seconds(state.at_ns), ticket, self._timeout)

    def _connect(self, hello: Hello) -> Client:
        hello = replace(hello, min_interval=hello.min_interval / self._throttle_speed)
        if self._follows:
            # What settled is sent again when it did.
            hello = replace(hello, settle=False)
        elif self._is_restrained():
            hello = with_restraint(hello)
        return self._link.connect(hello)
