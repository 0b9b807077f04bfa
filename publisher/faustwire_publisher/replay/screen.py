"""The progress bar of a replay, its keys, and the count of its verdicts."""

from __future__ import annotations

import math
from collections import Counter, deque
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from faustwire.messages import Reason
from faustwire.terminal import printable
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.replay import keyboard
from faustwire_publisher.replay.played import Played
from faustwire_publisher.replay.player import Replay

if TYPE_CHECKING:
    from typing_extensions import Self

# A key's step, as rosbag2's player has it.
_FASTER = 1.1
KEYS = "space pauses, right and left play the next and the last one, up and down change the speed"


class Tally:
    """Counts how the calls ended.

    Attributes:
        reasons: number of calls by verdict reason.
    """

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self._open: deque[Ticket] = deque()

    def add(self, ticket: Ticket) -> None:
        """Count a message once it is answered."""
        self._open.append(ticket)
        self.settle()

    def settle(self) -> None:
        """Count the messages that have been answered by now."""
        for _ in range(len(self._open)):
            ticket = self._open.popleft()
            if ticket.verdict is None:
                self._open.append(ticket)
            else:
                self.reasons[str(ticket.verdict.reason)] += 1

    def __str__(self) -> str:
        return ", ".join(f"{count} {reason}" for reason, count in self.reasons.most_common())


class Screen:
    """A progress bar over the recording, on standard error where that is a terminal."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._states = replay.states
        self.console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[mode]}"),
            BarColumn(),
            TextColumn(
                "{task.completed:.1f} of {task.total:.1f} s  {task.description}", markup=False
            ),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        first, last = self._seconds(self._states.first_ns), self._seconds(self._states.last_ns)
        self._first = first
        self._task = self._progress.add_task("", total=last - first, mode=self._mode())

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, played: Played, tally: Tally) -> None:
        """Move the bar to a state.

        Args:
            played: the state that was sent.
            tally: how the calls have ended so far.
        """
        call = "source" if played.state.call is None else f"call {played.state.call}"
        published = tally.reasons[str(Reason.PUBLISHED)]
        self._progress.update(
            self._task,
            completed=played.seconds - self._first,
            description=f"{printable(played.state.hello.worker)} {call}  {published} published",
            mode=self._mode(),
        )

    def take_key(self, key: str) -> None:
        """Do what a key stands for; on the keyboard's thread."""
        pace = self._replay.pace
        if key == keyboard.SPACE:
            self._replay.pause(paused=not pace.paused)
        elif key == keyboard.RIGHT:
            self._replay.forward()
        elif key == keyboard.LEFT:
            self._replay.back()
        elif key == keyboard.QUIT:
            self._replay.stop()
        elif not math.isinf(pace.speed):
            factor = _FASTER if key == keyboard.UP else 1 / _FASTER
            self._replay.change_speed(pace.speed * factor)
        self._progress.update(self._task, mode=self._mode())

    def _mode(self) -> str:
        pace = self._replay.pace
        speed = "as fast as possible" if math.isinf(pace.speed) else f"{pace.speed:.3g}×"
        return f"paused, {speed}" if pace.paused else speed

    def _seconds(self, at_ns: int) -> float:
        return self._states.seconds(at_ns)
