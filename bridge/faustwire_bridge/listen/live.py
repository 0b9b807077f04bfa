"""A running bridge as a page's source: watched like ``faustwire watch`` does, heard on request."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict
from functools import partial

from faustwire.bridge_state import PUBLISHED
from faustwire.errors import FaustwireError
from faustwire.messages import Follow, Heard, Rejection, State, Steered
from faustwire.terminal import printable
from faustwire_bridge.core.choices import choice
from faustwire_bridge.listen.history import History
from faustwire_bridge.listen.local_recording import (
    WRITTEN_SECONDS,
    LocalRecording,
    RecordingPlace,
    place_of,
    recorded_curves,
)
from faustwire_bridge.listen.run_listener import RunListener
from faustwire_bridge.listen.shown_state import shown
from faustwire_bridge.listen.sound import PageSound, Refused, hearing_of, read_sound
from faustwire_bridge.listen.steps_so_far import StepsSoFar
from faustwire_bridge.listen.view import MOST_RUNS, View
from faustwire_bridge.monitor.target import Target
from faustwire_bridge.monitor.view_model import Entry, ViewModel
from faustwire_bridge.monitor.watcher import Watcher

_SLICE_SECONDS = 0.2
_AGAIN_SECONDS = 1.0
# Runs that are heard at once: A and B of a few pages. Each is a connection and a thread.
_MOST_EARS = 8
# Of the snapshots that were heard, of all runs.
_MOST_BYTES = 128 * 2**20


class LiveSource:
    """Plays what a bridge judges.

    Attributes:
        view: what the pages are told.
    """

    def __init__(self, bridge: Target) -> None:
        """Nothing is connected yet.

        Args:
            bridge: which.
        """
        self._bridge = bridge
        self.view = View("bridge", bridge.endpoint)
        self._seen = ViewModel()
        self._watched: frozenset[str] = frozenset()
        self._listeners: dict[str, RunListener] = {}
        self._steps: dict[str, StepsSoFar] = {}
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        # Where the bridge records; once its curves are read, any step can be heard.
        self._place: RecordingPlace | None = None
        self._recorded = False
        self._recording = LocalRecording()
        # Recordings are read by one thread each.
        self._reader = ThreadPoolExecutor(1, "recording")

    async def run(self) -> None:
        """Watch the bridge until cancelled, whatever becomes of it."""
        self._loop = asyncio.get_running_loop()
        watching = threading.Thread(target=self._watch, name="watch", daemon=True)
        watching.start()
        try:
            await asyncio.Event().wait()
        finally:
            self._stop.set()
            for listener in self._listeners.values():
                listener.stop()
            self._reader.submit(self._recording.close)
            self._reader.shutdown(wait=False)

    async def fetch(self, run: str, call: int) -> PageSound | Refused:
        """Find a snapshot among those that were heard or recorded; see ``Source``.

        Args:
            run: whose.
            call: number of a call; 0: the first.

        Returns:
            The newest one that is not after that call, else the first, or why it is not heard.
        """
        kept = self._steps.get(run)
        found = None if kept is None else kept.nearest(call)
        if self._place is not None and (found is None or found.call != call):
            read = partial(self._recording.read, self._place, run, call)
            recorded = await asyncio.get_running_loop().run_in_executor(self._reader, read)
            if recorded is not None and (
                found is None or _distance(call, recorded.call) < _distance(call, found.call)
            ):
                return recorded
        if found is None:
            return Refused(run, call, "not-heard", "nobody has listened to this run yet")
        return await asyncio.to_thread(_sound, run, found)

    def watch(self, runs: frozenset[str]) -> None:
        """Hear these runs, and what the plugin plays.

        Args:
            runs: those that some page wants to hear.
        """
        self._watched = runs
        self._choose_listeners()

    async def steer(self, words: list[str]) -> str:
        """Have the plugin follow another worker.

        Args:
            words: as ``faustwire follow`` takes them.

        Returns:
            What came of it, for people.
        """
        try:
            answer = await asyncio.to_thread(self._bridge.ask, Follow(choice(words)))
        except FaustwireError as problem:
            return str(problem)
        if isinstance(answer, (Steered, Rejection)):
            return printable(answer.detail)
        return "the bridge gives another answer than was asked for"

    # -- on the server's thread --------------------------------------------------------------

    def _see(self, state: State) -> None:
        now, wall = time.monotonic(), time.time()
        self._tell_events(self._seen.take(state, now, wall))
        self.view.title = f"{state.host} · {state.dsp_path}"
        self.view.troubles["bridge"] = ""
        self._find_recording(state)
        for worker in state.workers:
            if worker.newest_call is not None:
                history = self.view.history(worker.incarnation)
                history.add(worker.newest_call, worker.metrics)
                history.hear_every_row(self._recorded)
        histories = self.view.histories()
        for event in state.events:
            if event.kind in PUBLISHED and event.call and event.incarnation in histories:
                histories[event.incarnation].mark_published(event.call)
        self.view.state = shown(state)
        self._choose_listeners()
        self.view.changed()

    def _find_recording(self, state: State) -> None:
        place = place_of(state)
        if place == self._place:
            return
        self._place, self._recorded = place, False
        for history in self.view.histories().values():
            history.hear_every_row(False)
        if place is not None:
            reading = threading.Thread(target=self._read_curves, args=(place,), daemon=True)
            reading.start()

    def _fill(self, place: RecordingPlace, curves: dict[str, History]) -> None:
        """Add the curves' beginnings, which were recorded before anybody watched."""
        if place != self._place:
            return
        self._recorded = True
        for run, curve in curves.items():
            history = self.view.history(run)
            history.begin_with(curve)
            history.hear_every_row(True)
        self.view.changed()

    def _miss(self, trouble: str | None) -> None:
        now, wall = time.monotonic(), time.time()
        self._tell_events(self._seen.miss(trouble, now, wall))
        why = self._seen.trouble
        if why is not None:
            self.view.troubles["bridge"] = f"The bridge is not heard: {why}"
            self.view.changed()

    def _tell_events(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.view.add_event(asdict(entry))

    def _choose_listeners(self) -> None:
        state = self._seen.state
        playing = {state.playing_incarnation} - {""} if state is not None else set()
        # What the plugin plays is judged already; so there is a past when a page comes.
        wanted = [*sorted(self._watched), *sorted(playing - self._watched)][:_MOST_EARS]
        for run in set(self._listeners) - set(wanted):
            self._listeners.pop(run).stop()
        for run in wanted:
            if run not in self._listeners:
                self._listeners[run] = RunListener(
                    self._bridge,
                    run,
                    after=self._steps[run].last_call if run in self._steps else 0,
                    heard=self._post_heard,
                    declined=self._post_declined,
                )

    def _hear(self, heard: Heard, found: PageSound | Refused) -> None:
        run = heard.incarnation
        self.view.troubles["listen"] = ""
        self.view.newest[run] = found
        if isinstance(found, PageSound):
            steps = self._steps.setdefault(run, StepsSoFar())
            steps.add(heard)
            self.view.history(run).keep_snapshots(steps.calls())
        self._make_room(run)
        self.view.changed()

    def _make_room(self, run: str) -> None:
        """Let go of the runs that came first, but for one."""
        others = [other for other in self._steps if other != run]
        while len(others) >= MOST_RUNS or (
            others and sum(steps.size for steps in self._steps.values()) > _MOST_BYTES
        ):
            del self._steps[others.pop(0)]

    def _decline(self, why: str) -> None:
        self.view.troubles["listen"] = why
        self.view.changed()

    # -- from other threads ------------------------------------------------------------------

    def _post_heard(self, heard: Heard, found: PageSound | Refused) -> None:
        self._post(lambda: self._hear(heard, found))

    def _read_curves(self, place: RecordingPlace) -> None:
        # What comes from now on is seen; what came just before is in no file yet.
        self._stop.wait(WRITTEN_SECONDS)
        curves = recorded_curves(place, self._stop.is_set)
        if curves is not None:
            self._post(partial(self._fill, place, curves))

    def _post_declined(self, why: str) -> None:
        self._post(lambda: self._decline(why))

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(self._bridge.watcher()) as connection:
                    self._watch_over(connection)
            except FaustwireError as problem:  # noqa: PERF203 - once a second at most
                self._post(partial(self._miss, str(problem)))
                self._stop.wait(_AGAIN_SECONDS)

    def _watch_over(self, connection: Watcher) -> None:
        while not self._stop.is_set():
            message = connection.receive(_SLICE_SECONDS)
            if isinstance(message, State):
                self._post(partial(self._see, message))
            elif message is None:
                self._post(partial(self._miss, self._bridge.trouble(connection)))

    def _post(self, act: Callable[[], None]) -> None:
        """Do something on the server's thread."""
        loop = self._loop
        if loop is not None and not self._stop.is_set():
            with suppress(RuntimeError):  # It has just ended.
                loop.call_soon_threadsafe(act)


def _distance(call: int, other: int) -> tuple[bool, int]:
    """How far another call is from the one that is wanted; later ones are further than any."""
    return other > call, abs(other - call)


def _sound(run: str, heard: Heard) -> PageSound | Refused:
    return read_sound(heard.snapshot, run, heard.call, hearing_of(heard))
