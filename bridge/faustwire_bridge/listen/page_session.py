"""One page: what it is told, what it has asked for. Slow pages miss what is no longer new."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection

from faustwire.errors import FaustwireError
from faustwire_bridge.listen.history import Told
from faustwire_bridge.listen.sound import PageSound, Refused, as_json
from faustwire_bridge.listen.view import Source

VERSION = 1
# States come ten times a second at most, and a page draws no more.
_PAUSE_SECONDS = 0.05
# A page that hears nothing for a few times as long takes its server for gone: a network that has
# gone tells no browser.
ALIVE_SECONDS = 5.0
# What a page asks for in a second, and at once: a drag over the curve asks for a step a frame.
_RATE = 100.0
_BURST = 200.0
_MOST_FETCHES = 8
_MOST_RUNS = 64
_MOST_WORDS = 8
_MOST_CHARACTERS = 512


class AskedTooMuchError(FaustwireError):
    """A page that asks for more than the page from here ever does."""


class NonsenseError(FaustwireError, ValueError):
    """A message that the page from here never sends."""


class PageSession:
    """Tells one page what is new, and answers it.

    Attributes:
        watched: the runs whose newest snapshots it wants.
    """

    def __init__(
        self,
        socket: ServerConnection,
        source: Source,
        *,
        hello: dict[str, Any],
        watches: Callable[[], None],
    ) -> None:
        """Nothing is told yet.

        Args:
            socket: the page's.
            source: where its sounds come from.
            hello: fields of the first message.
            watches: is called when ``watched`` has changed.
        """
        self._socket = socket
        self._source = source
        self._hello = hello
        self._watches = watches
        self.watched: frozenset[str] = frozenset()
        # Something is new for each of the two parts that tell the page.
        self._fresh_facts, self._fresh_sounds = asyncio.Event(), asyncio.Event()
        self._fetches: asyncio.Queue[tuple[int, str, int]] = asyncio.Queue(_MOST_FETCHES)
        self._structures: set[str] = set()
        self._state: dict[str, Any] = {}
        self._event = 0
        self._troubles: dict[str, str] = {}
        self._told: dict[str, Told] = {}
        # Of each run: what was sent last, and whether the page has taken it in.
        self._sent: dict[str, PageSound | Refused] = {}
        self._busy: set[str] = set()
        self._allowance, self._counted = _BURST, time.monotonic()

    async def serve(self) -> None:
        """Serve the page until it has gone.

        Raises:
            ConnectionClosed: it has gone.
            AskedTooMuchError: it asks for too much.
            NonsenseError: it is not the page from here.
        """
        view = self._source.view
        for waker in (self._fresh_facts, self._fresh_sounds):
            view.join(waker)
        tasks: list[asyncio.Task[None]] = []
        try:
            first = {"type": "hello", "version": VERSION, "alive_seconds": ALIVE_SECONDS}
            await self._socket.send(as_json(first | self._hello))
            parts = self._tell_facts, self._tell_sounds, self._tell_alive, self._answer, self._hear
            tasks = [asyncio.create_task(part()) for part in parts]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for waker in (self._fresh_facts, self._fresh_sounds):
                view.leave(waker)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- what the page says ------------------------------------------------------------------

    async def _hear(self) -> None:
        async for text in self._socket:
            self._count()
            try:
                message = json.loads(text)
                assert isinstance(message, dict)  # noqa: S101 - as good as any other
            except (ValueError, AssertionError, RecursionError):
                raise NonsenseError("a message is a JSON object") from None
            await self._obey(message)

    def _count(self) -> None:
        now = time.monotonic()
        self._allowance = min(_BURST, self._allowance + _RATE * (now - self._counted)) - 1
        self._counted = now
        if self._allowance < 0:
            raise AskedTooMuchError("too many messages")

    async def _obey(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "watch", "runs": list(runs)}:
                self.watched = frozenset(_texts(runs, _MOST_RUNS))
                for run in set(self._sent) - self.watched:
                    del self._sent[run]
                    self._busy.discard(run)
                self._watches()
                self._fresh_sounds.set()
            case {"type": "ready", "run": str(run)}:
                self._busy.discard(run)
                self._fresh_sounds.set()
            case {"type": "fetch", "request": int(request), "run": str(run), "call": int(call)}:
                try:
                    self._fetches.put_nowait((request, run, call))
                except asyncio.QueueFull:
                    raise AskedTooMuchError("too many requests at once") from None
            case {"type": "follow", "words": list(words)}:
                detail = await self._steer(_texts(words, _MOST_WORDS))
                await self._socket.send(as_json({"type": "steered", "detail": detail}))

    async def _steer(self, words: list[str]) -> str:
        if not self._hello["may_steer"]:
            return "this page may not choose whom the plugin follows: start it with --steer"
        return await self._source.steer(words)

    async def _answer(self) -> None:
        while True:
            request, run, call = await self._fetches.get()
            found = await self._source.fetch(run, max(0, call))
            await self._send_found(found, request)

    # -- what the page is told ---------------------------------------------------------------

    async def _tell_facts(self) -> None:
        self._fresh_facts.set()
        while True:
            await self._fresh_facts.wait()
            self._fresh_facts.clear()
            await self._tell_state()
            await self._tell_histories()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _tell_sounds(self) -> None:
        """Send sounds at once; they do not wait for what is drawn."""
        self._fresh_sounds.set()
        while True:
            await self._fresh_sounds.wait()
            self._fresh_sounds.clear()
            for run in self.watched:
                await self._tell_newest(run)

    async def _tell_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            await self._socket.send(as_json({"type": "alive"}))

    async def _tell_state(self) -> None:
        view = self._source.view
        if view.state and view.state is not self._state:
            self._state = view.state
            await self._socket.send(as_json({"type": "state", **view.state}))
        fresh = [event for number, event in view.events if number > self._event]
        if fresh:
            self._event = view.events[-1][0]
            await self._socket.send(as_json({"type": "events", "events": fresh}))
        for kind, text in list(view.troubles.items()):
            if self._troubles.get(kind, "") != text:
                self._troubles[kind] = text
                await self._socket.send(as_json({"type": "trouble", "kind": kind, "text": text}))

    async def _tell_histories(self) -> None:
        for run, history in self._source.view.histories().items():
            news = history.since(self._told.get(run, Told()))
            if news is not None:
                self._told[run], more = news
                await self._socket.send(as_json({"type": "history", "run": run, **more}))

    async def _tell_newest(self, run: str) -> None:
        newest = self._source.view.newest.get(run)
        if newest is None or run in self._busy or self._sent.get(run) is newest:
            return
        self._sent[run] = newest
        if isinstance(newest, PageSound):
            self._busy.add(run)
        await self._send_found(newest, None)

    async def _send_found(self, found: PageSound | Refused, request: int | None) -> None:
        if isinstance(found, Refused):
            await self._socket.send(found.message(request))
            return
        name = found.plan.structure_id()
        if name not in self._structures:
            self._structures.add(name)
            await self._socket.send(found.structure_message())
        await self._socket.send(found.frame(request))


def _texts(values: list[Any], most: int) -> list[str]:
    texts = [value for value in values if isinstance(value, str) and len(value) <= _MOST_CHARACTERS]
    if len(texts) != len(values) or len(texts) > most:
        raise NonsenseError("a list of texts is wanted")
    return texts
