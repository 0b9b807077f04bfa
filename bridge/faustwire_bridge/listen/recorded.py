"""A recording as a page's source: its curves are read once, its snapshots when they are heard."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faustwire import recording
from faustwire.errors import FaustwireError, explained
from faustwire.header import read_fields
from faustwire.recording import Damage, RecordedWorker, Recording
from faustwire.recording.publications import recorded_workers
from faustwire.terminal import printable
from faustwire_bridge.core.hearing import Hearing
from faustwire_bridge.listen.history import History
from faustwire_bridge.listen.own_judge import OwnJudge
from faustwire_bridge.listen.recorded_steps import Happening, RunAccount, StepFact, Steps
from faustwire_bridge.listen.sound import PageSound, Refused, read_sound
from faustwire_bridge.listen.view import MOST_RUNS, View

# How often a page hears how far the reading is.
_TELL_SECONDS = 0.25
# Of a recording's damage; `faustwire inspect` tells of all.
_MOST_DAMAGES = 3


@dataclass
class _Run:
    """What is known of one worker of the recording."""

    worker: RecordedWorker
    history: History
    account: RunAccount = field(default_factory=RunAccount)
    # By call, of the rows that are kept.
    judged: dict[int, Hearing] = field(default_factory=dict)
    generation: int = 0


class RecordedSource:
    """Plays a recording.

    Attributes:
        view: what the pages are told.
    """

    def __init__(self, paths: list[str]) -> None:
        """Open the recording.

        Args:
            paths: its files, or folders of them.

        Raises:
            RecordingError: none of them is a faustwire recording.
            OSError: one can't be read.
        """
        self._paths = paths
        self._found = Recording(paths)
        files = self._found.paths
        title = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
        self.view = View("recording", title)
        self._runs = {
            worker.hello.incarnation: _Run(worker, self.view.history(worker.hello.incarnation))
            for worker in recorded_workers(self._found)[:MOST_RUNS]
        }
        self._watched: frozenset[str] = frozenset()
        self._complete = False
        # Recordings are read by one thread each: this one answers the pages.
        self._reader = ThreadPoolExecutor(1, "recording")
        self._judge = OwnJudge()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def files(self) -> list[Path]:
        """The recording's files, in the order of time."""
        return self._found.paths

    async def run(self) -> None:
        """Read the recording once, and tell of it; then wait to be cancelled."""
        loop = asyncio.get_running_loop()
        stop = threading.Event()

        def apply(batch: list[StepFact | Happening]) -> None:
            asyncio.run_coroutine_threadsafe(self._apply(batch), loop).result()

        try:
            self._tell()
            self.view.troubles["recording"] = await self._read_whole(apply, stop)
            self._complete = True
            for known in self._runs.values():
                known.history.finish()
            self._tell()
            for run in self._watched:
                self._renew(run)
            await asyncio.Event().wait()
        finally:
            stop.set()
            self._reader.shutdown(wait=False, cancel_futures=True)
            self._judge.close()

    async def _read_whole(
        self, apply: Callable[[list[StepFact | Happening]], None], stop: threading.Event
    ) -> str:
        """Read the recording, and say what is wrong with it; empty: nothing."""
        try:
            damage = await asyncio.to_thread(_read_all, self._paths, apply, stop)
        except (OSError, FaustwireError) as problem:
            return f"The recording can't be read to its end: {printable(explained(problem))}"
        return _trouble(damage, empty=not self._runs)

    async def fetch(self, run: str, call: int) -> PageSound | Refused:
        """Find a snapshot; see ``Source``.

        Args:
            run: whose.
            call: number of a call; 0: the first.

        Returns:
            The newest one that is not after that call, else the first, or why it is not heard.
        """
        known = self._runs.get(run)
        if known is None:
            return Refused(run, call, "not-recorded", "no such worker is in the recording")
        exact = known.history.nearest(call) or 1
        judged = known.judged.get(exact)
        loop = asyncio.get_running_loop()
        try:
            found, learned = await loop.run_in_executor(
                self._reader, self._read, known.worker, exact, judged
            )
        except (OSError, FaustwireError) as problem:
            # A disk that is gone, a file that somebody removes or moves.
            why = f"the recording can't be read: {printable(explained(problem))}"
            return Refused(run, call, "not-recorded", why)
        if learned is not None:
            known.judged[found.call] = learned
        return found

    def watch(self, runs: frozenset[str]) -> None:
        """Play the last snapshot of some runs; while the recording is read, the first.

        Args:
            runs: those that some page wants to hear.
        """
        fresh = runs - self._watched
        self._watched = runs
        for run in fresh:
            if run in self._runs and run not in self.view.newest:
                self._renew(run)

    async def steer(self, words: list[str]) -> str:
        """Say that a recording follows nobody.

        Args:
            words: as ``faustwire follow`` takes them.

        Returns:
            The same, for people.
        """
        return f"nothing can be told to follow {' '.join(words)[:80]}: this is a recording"

    # -- the curves --------------------------------------------------------------------------

    async def _apply(self, batch: list[StepFact | Happening]) -> None:
        for one in batch:
            if isinstance(one, Happening):
                self.view.add_event(one.fields)
            elif one.run in self._runs:
                _take(self._runs[one.run], one)
        self._tell()

    def _tell(self) -> None:
        workers = [_row(run, known) for run, known in self._runs.items()]
        self.view.state = {"follow": "", "playing": None, "workers": workers}
        self.view.changed()

    def _renew(self, run: str) -> None:
        task = asyncio.get_running_loop().create_task(self._play_newest(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play_newest(self, run: str) -> None:
        last = self._runs[run].history.last_call if self._complete else 0
        self.view.newest[run] = await self.fetch(run, last)
        self.view.changed()

    # -- one snapshot, in the reader's thread ------------------------------------------------

    def _read(
        self, worker: RecordedWorker, call: int, judged: Hearing | None
    ) -> tuple[PageSound | Refused, Hearing | None]:
        """A snapshot, and what was decided about it."""
        run = worker.hello.incarnation
        if judged is not None and not judged.audible:
            return read_sound(b"", run, call, judged), judged
        item = self._found.find(call, worker)
        if item is None:
            return Refused(run, call, "not-recorded", "the recording holds no such step"), None
        number = read_fields(item.data, "call").get("call")
        call = number if isinstance(number, int) else call
        if judged is None:
            judged = self._judge.judge(item.data)
        return read_sound(item.data, run, call, judged), judged


def _take(run: _Run, found: StepFact) -> None:
    run.account.count(found)
    if found.published:
        run.history.mark_published(found.call)
    if found.metrics is not None:
        run.history.add(found.call, found.metrics)
    elif found.judged is not None and run.history.nearest(found.call) == found.call:
        run.judged[found.call] = found.judged
    if run.generation != run.history.generation:
        run.generation = run.history.generation
        kept = set(run.history.calls())
        run.judged = {call: judged for call, judged in run.judged.items() if call in kept}


def _row(run: str, known: _Run) -> dict[str, Any]:
    account, hello = known.account, known.worker.hello
    return {
        "run": run,
        "worker": known.worker.name,
        "host": hello.host,
        "standing": "recorded",
        "call": account.call or None,
        "rate": account.rate,
        "metrics": account.metrics,
        "reason": account.reason,
        "detail": account.detail,
        "published": account.published,
        "calls": account.call,
        "seen_seconds": 0.0,
    }


def _read_all(
    paths: list[str],
    apply: Callable[[list[StepFact | Happening]], None],
    stop: threading.Event,
) -> list[Damage]:
    """Read a recording from its beginning to its end, tell of it piece by piece; its damage."""
    whole = Recording(paths)
    batch: list[StepFact | Happening] = []
    told = time.monotonic()
    for one in _findings(whole):
        if stop.is_set():
            return []
        batch.append(one)
        now = time.monotonic()
        if now >= told + _TELL_SECONDS:
            told = now
            apply(batch)
            batch = []
    if not stop.is_set():
        apply(batch)
    return whole.damage


def _trouble(damage: list[Damage], *, empty: bool) -> str:
    """What a page says of a recording that isn't whole; empty: it is."""
    said = ["No model is in this recording: there is nothing to hear."] if empty else []
    if damage:
        some = "; ".join(printable(each) for each in damage[:_MOST_DAMAGES])
        more = len(damage) - _MOST_DAMAGES
        rest = f"; and {more} more (`faustwire inspect`)" if more > 0 else ""
        said.append(f"The recording is not whole: {some}{rest}")
    return " ".join(said)


def _findings(whole: Recording) -> Iterator[StepFact | Happening]:
    steps = Steps()
    for item in whole.items(topics={recording.IN, recording.OUT, recording.EVENT}):
        yield from steps.found(item)
