"""One worker at its bridge: messages handed over, and what became of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.util import Finalize
from typing import Any

from faustwire.messages import Hello, Reason, Verdict, Welcome
from faustwire_publisher.bridge_link import BridgeLink, default_worker
from faustwire_publisher.client import Client
from faustwire_publisher.due_hint import DueHint
from faustwire_publisher.errors import ForkError
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.reload_losses import ReloadLosses
from faustwire_publisher.warn_once import WarnOnce

# What `last` says of a call that was never sent. Most calls of a training end here.
_SKIPPED = {
    Reason.EVERY: Verdict(0, False, Reason.EVERY),
    Reason.MIN_INTERVAL: Verdict(0, False, Reason.MIN_INTERVAL),
    Reason.RELOAD_COST: Verdict(0, False, Reason.RELOAD_COST),
}

# Before the queues and pools of multiprocessing are torn down, which have at most 10.
_EXIT_PRIORITY = 20


class WorkerSession:
    """Connects when it is first used, hands messages over, and learns from the verdicts.

    Attributes:
        proven: whether a message of this worker has been published.
        warn_once: tells people what holds the plugin back.
    """

    def __init__(self, link: BridgeLink, hello: Hello, *, wait: bool, timeout: float) -> None:
        """Nothing is connected yet.

        Args:
            link: which bridge.
            hello: how the worker introduces itself.
            wait: whether handing over waits for the verdict.
            timeout: seconds that it waits at most.
        """
        self.proven = False
        self.warn_once = WarnOnce()
        self._losses = ReloadLosses()
        self._link = link
        self._hello = hello
        self._wait = wait
        self._timeout = timeout
        self._pid = os.getpid()
        # Re-entrant: a signal handler may call in the middle of a call of its own thread.
        self._lock = threading.RLock()
        self._client: Client | None = None
        self._met: Welcome | None = None
        self._seq = 0
        self._due_hint: DueHint | None = None
        self._digested: Ticket | None = None
        self._handed_over: Ticket | None = None
        self._last: Verdict | None = None
        self._remarks: tuple[str, ...] = ()
        self._farewell: Finalize | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(WorkerSession, wait=self._wait, timeout=self._timeout), (
            self._link,
            self._hello,
        )

    @property
    def worker(self) -> str:
        """The worker's name."""
        return self._hello.worker or default_worker()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Hold the session for a call: one thread at a time, connected, the last answers taken in.

        Raises:
            ForkError: in a forked process.
        """
        # Before the lock: in a fork, whoever held it may not exist any more.
        self._check_process()
        with self._lock, (client := self._connected()).mailbox.call():
            self._digest(client)
            yield

    def next_seq(self) -> int:
        """The number of the next message."""
        self._seq = seq = self._seq + 1
        return seq

    def skip(self, call: int) -> bool:
        """Whether the bridge would certainly turn a call down; its verdict is noted then.

        Args:
            call: its number.
        """
        client = self._connected()
        if self._due_hint is None or client.bridge is None:
            return False
        reason = self._due_hint.turns_down(call, client.connections)
        if reason is None:
            return False
        self._last = _SKIPPED[reason]
        return True

    def hand_over(self, ticket: Ticket) -> bool:
        """Send a message, and wait for its verdict if calls of this worker wait.

        Args:
            ticket: the message.

        Returns:
            Whether it was published; without waiting: True, it is handed over.
        """
        client = self._connected()
        client.submit(ticket)
        if not self._wait:
            self._handed_over = ticket
            self._last = Verdict(ticket.seq, False, Reason.HANDED_OVER)
            self._tell_of_silence(client)
            return True
        verdict = client.wait_for(ticket, self._timeout)
        if verdict is None:
            return self.end(self._no_bridge(client, ticket.seq))
        self._digest(client)
        self._last = verdict
        return verdict.published

    def end(self, verdict: Verdict) -> bool:
        """Note a verdict of this side, given without the bridge; returns whether it published."""
        self._last = verdict
        self.warn_once.take(verdict)
        return verdict.published

    @property
    def last(self) -> Verdict:
        """The verdict on the last call, or what is known of it so far.

        Raises:
            RuntimeError: nothing was called yet.
        """
        if self._last is None:
            raise RuntimeError("there is no verdict before the first call of update or publish")
        last = self._last
        if last.reason is Reason.HANDED_OVER and self._handed_over is not None:
            last = self._handed_over.verdict or last
        if self._remarks and last.seq:
            return replace(last, warnings=(*self._remarks, *last.warnings))
        return last

    def note_remarks(self, remarks: tuple[str, ...]) -> None:
        """Note warnings about the newest model, to be part of the verdicts on it.

        Args:
            remarks: one line each; those that are new are told at once.
        """
        self._remarks = remarks
        self.warn_once.of_model(remarks)

    def flush(self, timeout: float | None) -> bool:
        """Wait until the newest message has its verdict.

        Args:
            timeout: seconds; None: the session's.

        Returns:
            Whether nothing is left to wait for.

        Raises:
            ForkError: in a forked process.
        """
        self._check_process()
        client = self._client
        pending = None if client is None else client.mailbox.pending()
        if pending is None:
            return True
        return pending.wait(self._timeout if timeout is None else timeout) is not None

    def close(self) -> None:
        """Wait for the last verdict and leave the bridge; the next call connects again.

        Raises:
            ForkError: in a forked process.
        """
        self._check_process()
        with self._lock:
            farewell, self._client, self._farewell = self._farewell, None, None
            if farewell is not None:
                farewell()

    # -- inside ----------------------------------------------------------------------------------

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise ForkError(
                f"this HotReload belongs to process {self._pid} and can't be used in its fork "
                f"{os.getpid()}: call update in the training process, not in a DataLoader's "
                "worker, or make a HotReload of the worker's own"
            )

    def _connected(self) -> Client:
        return self._client or self._adopted(
            self._link.connect(self._hello, steps_aside=not self._wait)
        )

    def _adopted(self, client: Client) -> Client:
        if self._client is not None:
            # A signal handler's call has connected in the meantime.
            client.close()
            return self._client
        # Runs when nobody holds the session any more, at the interpreter's exit, and at the end of
        # a multiprocessing child, which does not run what is registered with atexit; not in a fork.
        self._farewell = Finalize(
            self, _leave, (client, self._timeout), exitpriority=_EXIT_PRIORITY
        )
        self._client = client
        return client

    def _digest(self, client: Client) -> None:
        """Learn from the newest answer of the bridge, once."""
        ticket = client.mailbox.answered
        if ticket is None or ticket is self._digested or ticket.verdict is None:
            return
        self._digested = ticket
        self._due_hint = DueHint(ticket, client.connections)
        self.proven = self.proven or ticket.verdict.published
        bridge = client.bridge
        if bridge is not None and bridge is not self._met:
            self._met = bridge
            self.warn_once.of_differences(bridge, self._link.differences(bridge))
        self.warn_once.of_unchecked(ticket.verdict)
        self.warn_once.of_crashes(ticket.verdict)
        if ticket.force or ticket.own or self._hello.min_interval == 0:
            self.warn_once.of_losses(self._losses.take(ticket))
        self.warn_once.take(ticket.verdict, prompt=ticket.took <= self._timeout)

    def _tell_of_silence(self, client: Client) -> None:
        """Where calls don't wait nobody notices the timeout, but people must hear of it."""
        since = client.mailbox.unanswered_since
        if since is not None and time.monotonic() - since >= self._timeout:
            self.warn_once.take(self._no_bridge(client, self._seq))

    def _no_bridge(self, client: Client, seq: int) -> Verdict:
        return Verdict(seq, False, Reason.NO_BRIDGE, self._link.absence(client, self._timeout))


def _leave(client: Client, timeout: float) -> None:
    """Wait for the last verdict and go."""
    pending = client.mailbox.pending()
    if pending is not None:
        client.wait_for(pending, timeout, last=True)
    client.close()
