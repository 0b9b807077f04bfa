"""What all pages are shown: who is there, what has happened, and the newest sounds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from faustwire_bridge.listen.history import History
from faustwire_bridge.listen.sound import PageSound, Refused

_MOST_EVENTS = 100
# Runs whose curves are kept; of a longer sweep those that were heard of last.
MOST_RUNS = 64


@dataclass
class View:
    """What a source tells its pages; used on the server's thread only.

    Attributes:
        mode: "bridge" or "recording".
        title: what the pages show.
        state: the newest message ``state``, without its type.
        events: the last ones, with a number each.
        troubles: what is wrong, by kind; empty text: it is over.
        newest: of each run that is watched: its newest snapshot, or why it is not heard.
    """

    mode: str
    title: str
    state: dict[str, Any] = field(default_factory=dict)
    events: deque[tuple[int, dict[str, Any]]] = field(
        default_factory=lambda: deque(maxlen=_MOST_EVENTS)
    )
    troubles: dict[str, str] = field(default_factory=dict)
    newest: dict[str, PageSound | Refused] = field(default_factory=dict)
    _histories: OrderedDict[str, History] = field(default_factory=OrderedDict)
    _wakers: set[asyncio.Event] = field(default_factory=set)
    _happened: int = 0

    def history(self, run: str) -> History:
        """The curve of a run; it is begun where there is none."""
        history = self._histories.get(run)
        if history is None:
            every = self.mode == "recording"
            history = self._histories[run] = History(every_row_is_heard=every)
            while len(self._histories) > MOST_RUNS:
                self._histories.popitem(last=False)
        self._histories.move_to_end(run)
        return history

    def histories(self) -> dict[str, History]:
        """The curves by run."""
        return dict(self._histories)

    def add_event(self, event: dict[str, Any]) -> None:
        """Something has happened: the fields of one of a message's ``events``."""
        self._happened += 1
        self.events.append((self._happened, event))

    def changed(self) -> None:
        """Have every page look at what is new."""
        for waker in self._wakers:
            waker.set()

    def join(self, waker: asyncio.Event) -> None:
        """Wake a page's session whenever something has changed."""
        self._wakers.add(waker)

    def leave(self, waker: asyncio.Event) -> None:
        """Wake it no more."""
        self._wakers.discard(waker)


class Source(Protocol):
    """Where a page's sounds come from: a recording, or a bridge.

    Attributes:
        view: what it tells.
    """

    view: View

    async def run(self) -> None:
        """Keep the view up to date until cancelled."""

    async def fetch(self, run: str, call: int) -> PageSound | Refused:
        """The newest snapshot of a run that is not after a call, else its first.

        Args:
            run: whose.
            call: number of a call; 0: the first.
        """

    def watch(self, runs: frozenset[str]) -> None:
        """Keep the newest sounds of these runs in the view, and of no others."""

    async def steer(self, words: list[str]) -> str:
        """Have the plugin follow another worker; what came of it, for people."""
