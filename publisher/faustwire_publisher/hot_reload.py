"""HotReload, the class that people use."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from faustwire.controls import sliders
from faustwire.errors import GraphError, NonFiniteError
from faustwire.graph import Node
from faustwire.key_ring import KeyRing
from faustwire.messages import Hello, OwnProgram, Reason, Snapshot, Verdict
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH, file_path, rendezvous
from faustwire_publisher.arguments import (
    knows,
    metric_values,
    number,
    period,
    record_target,
    remote_endpoint,
    text,
)
from faustwire_publisher.bridge_process import EmbeddedBridge
from faustwire_publisher.client import Client
from faustwire_publisher.due_hint import DueHint
from faustwire_publisher.errors import ArgumentError, ForkError, ModelError
from faustwire_publisher.lowering import defer, lower
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.warn_once import WarnOnce

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

# Long enough for a bridge to start from a cold disk; an update waits for it at most once.
_TIMEOUT_SECONDS = 5.0

# What `last` says of a call that was never sent. Most calls of a training end here.
_SKIPPED = {
    Reason.EVERY: Verdict(0, False, Reason.EVERY),
    Reason.MIN_INTERVAL: Verdict(0, False, Reason.MIN_INTERVAL),
    Reason.RELOAD_COST: Verdict(0, False, Reason.RELOAD_COST),
}


class HotReload:
    """Publish a FLAMO model to a running hot-reload Faust plugin while it trains.

    Interface and meaning are those of ``adac.HotReload``. The work is done by a bridge process:
    one on this machine, started when there is none for this ``dsp_path``, or the one at
    ``endpoint``.

    Args:
        fs: sampling rate, Hz.
        name: of the program; stands in its header.
        dsp_path: the ``.dsp`` to keep. Its basename must stay the same while the plugin runs.
        config_path: the plugin's config file, whose first line is kept naming ``dsp_path``.
        every: publish at most every n-th call of ``update``; the first call always qualifies.
        min_interval: seconds at least between two reloads of the plugin, whoever caused them; 0
            switches every time throttle off.
        controls: macro controls "rt60", "dry_wet", "pre_delay": True, or a dict that overrides
            init, min, max, step or label.
        endpoint: ZeroMQ endpoint of a running bridge, for instance "tcp://studio:5555"; default:
            the environment's FAUSTWIRE_ENDPOINT, else a bridge on this machine. With one, the
            paths are the bridge's, and those given here are not used.
        worker: the name to be known by; default: host name and process id.
        wait: whether ``update`` waits for the verdict. With False it never waits; True then means
            handed over, a newer snapshot replaces one that is still queued, and ``last`` tells
            later how it ended.
        timeout: seconds that a call waits at most. After one has waited in vain, calls don't wait
            until the bridge is found again or has answered one within this time.
        settle: have the bridge write the newest snapshot that came too soon when its time has come,
            so that the plugin always ends on the newest state. ``update`` still returns False for
            such a call, and calls cost what a published one costs in this process.
        record: a folder, or a file that ends in ``.mcap``, to which the bridge that is started here
            records the run; see docs/recording.md. While it does, every call is sent.
        keys: the folder of this machine's keys. With one, nothing is sent in the clear, so the key
            of the bridge at ``endpoint`` must be known there (``faustwire keys trust``). Default:
            the environment's FAUSTWIRE_KEYS, else ``~/.config/faustwire/keys``, for the bridges
            that are known there. A bridge on this machine needs no keys.

    Raises:
        ValueError: an argument makes no sense (``faustwire.errors.FaustwireError`` covers all).

    Attributes:
        endpoint: the endpoint in use.
        worker: the name in use.
    """

    def __init__(
        self,
        fs: float,
        *,
        name: str = "FDN",
        dsp_path: str | Path = DSP_PATH,
        config_path: str | Path = CONFIG_PATH,
        every: int = 1,
        min_interval: float = 0.5,
        controls: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
        worker: str | None = None,
        wait: bool = True,
        timeout: float = _TIMEOUT_SECONDS,
        settle: bool = False,
        record: str | Path | None = None,
        keys: str | Path | None = None,
    ) -> None:
        self.fs = number("fs", fs, above=0)
        self.name = text("name", name)
        self.worker = text("worker", worker or f"{socket.gethostname()}-{os.getpid()}")
        self._every = period(every)
        self._min_interval = number("min_interval", min_interval)
        self._controls = sliders(controls)
        self._wait = wait
        self._timeout = number("timeout", timeout, above=0)
        self._place = rendezvous(dsp_path)
        self._config_path = str(file_path(config_path, "config_path"))
        if str(self._place.dsp_path) == self._config_path:
            raise ArgumentError(f"dsp_path and config_path are the same file, {self._config_path}")
        remote = endpoint or os.environ.get("FAUSTWIRE_ENDPOINT")
        self._embedded = not remote
        self._settle = bool(settle)
        self._record = None if record is None else record_target(record, remote)
        self.endpoint = remote_endpoint(remote) if remote else self._place.endpoint
        self._keyring = KeyRing(keys) if remote else None
        # Known when it begins, known to the end: no fault may make it send in the clear.
        self._encrypted = self._keyring is not None and knows(self._keyring, self.endpoint, keys)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._calls = 0
        self._seq = 0
        self._due_hint: DueHint | None = None
        self._digested: Ticket | None = None
        self._handed_over: Ticket | None = None
        self._last: Verdict | None = None
        self._proven = False
        self._warn_once = WarnOnce()
        self._farewell: weakref.finalize[..., Any] | None = None

    # -- the three calls -----------------------------------------------------------------------

    def update(
        self,
        model: torch.nn.Module,
        *,
        force: bool = False,
        metrics: Mapping[str, Any] | None = None,
    ) -> bool:
        """Publish the model if it is due; to be called after each optimiser step.

        Args:
            model: a FLAMO module.
            force: bypass both throttles, never the dedupe.
            metrics: losses and the like by name, numbers or tensors of one element.

        Returns:
            True: a new ``.dsp`` was written and the plugin will reload (with ``wait=False``: handed
            over). False: throttled, unchanged, refused, or no bridge; ``last`` says which.

        Raises:
            ModelError: the model can't be expressed. Only until a first snapshot has been
                published; later it costs a warning and False.
            ForkError: called in a forked process.
        """
        with self._lock:
            client = self._connect()
            self._digest(client)
            self._calls += 1
            skipped = None if force else self._turned_down_anyway(client)
            if skipped is not None:
                self._last = _SKIPPED[skipped]
                return False
            measured = metric_values(metrics)
            try:
                graph = self._lowered(model)
            except NonFiniteError as problem:
                return self._end(Verdict(0, False, Reason.NON_FINITE, str(problem)))
            except (ModelError, GraphError) as problem:
                if not self._proven:
                    raise
                return self._end(Verdict(0, False, Reason.REFUSED, str(problem)))
            self._seq += 1
            snapshot = partial(
                _snapshot,
                graph,
                seq=self._seq,
                call=self._calls,
                fs=self.fs,
                name=self.name,
                controls=self._controls,
                metrics=measured,
            )
            ticket = Ticket(self._seq, snapshot, force)
            published = self._hand_over(client, ticket)
            if self.last.reason is Reason.REFUSED and not self._proven:
                raise ModelError(self.name, self.last.detail)
            return published

    def publish(self, code: str) -> bool:
        """Publish Faust text of your own; no throttle applies, the dedupe does.

        Returns:
            As ``update``.

        Raises:
            TypeError: ``code`` is no text.
            ForkError: called in a forked process.
        """
        if not isinstance(code, str):
            raise TypeError(f"publish takes Faust text, not {type(code).__name__}")
        with self._lock:
            client = self._connect()
            self._seq += 1
            own = OwnProgram(self._seq, code)
            return self._hand_over(client, Ticket(own.seq, lambda: own))

    @contextmanager
    def follow(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Self]:
        """Call ``update(model)`` after every step of an optimiser, and once, forced, at the end.

        For loops that offer no callback, such as FLAMO's ``Trainer`` or Lightning::

            with live.follow(model, trainer.optimizer):
                trainer.train(train_set, valid_set)
        """

        def update(*_: Any) -> None:
            self.update(model)

        handle = optimizer.register_step_post_hook(update)
        try:
            yield self
        except BaseException:
            handle.remove()
            # What ended the training matters more than what the last update has to say.
            with suppress(Exception):
                self.update(model, force=True)
            raise
        handle.remove()
        self.update(model, force=True)

    # -- how it ended ----------------------------------------------------------------------------

    @property
    def last(self) -> Verdict:
        """The verdict on the last call, or what is known of it so far.

        Raises:
            RuntimeError: nothing was called yet.
        """
        if self._last is None:
            raise RuntimeError("there is no verdict before the first call of update or publish")
        if self._last.reason is Reason.HANDED_OVER and self._handed_over is not None:
            return self._handed_over.verdict or self._last
        return self._last

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the newest snapshot that was handed over has its verdict.

        Args:
            timeout: seconds; None: the one given to HotReload.

        Returns:
            Whether nothing is left to wait for.
        """
        self._check_process()
        pending = None if self._client is None else self._client.mailbox.pending()
        if pending is None:
            return True
        return pending.wait(self._timeout if timeout is None else timeout) is not None

    def close(self) -> None:
        """Flush, and leave the bridge. The next call of ``update`` would come back to it."""
        self._check_process()
        with self._lock:
            if self._farewell is not None:
                self._farewell()
            self._client = self._farewell = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- inside ----------------------------------------------------------------------------------

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise ForkError(
                f"this HotReload belongs to process {self._pid} and can't be used in its fork "
                f"{os.getpid()}: call update in the training process, not in a DataLoader's "
                "worker, or make a HotReload of the worker's own"
            )

    def _connect(self) -> Client:
        self._check_process()
        if self._client is None:
            hello = Hello(
                self.worker,
                secrets.token_hex(8),
                host=socket.gethostname(),
                pid=self._pid,
                every=self._every,
                min_interval=self._min_interval,
                settle=self._settle,
            )
            revive = None
            if self._embedded:
                revive = EmbeddedBridge(self._place, self._config_path, self._record).revive
            self._client = Client(
                self.endpoint,
                hello,
                revive,
                steps_aside=not self._wait,
                keyring=self._keyring,
                encrypted=self._encrypted,
            )
            self._farewell = weakref.finalize(self, _leave, self._client, self._timeout, self._pid)
        return self._client

    def _turned_down_anyway(self, client: Client) -> Reason | None:
        """Why the bridge would certainly turn this call down; spares the work on it."""
        if self._due_hint is None or client.bridge is None:
            return None
        return self._due_hint.turns_down(self._calls, client.connections)

    def _lowered(self, model: torch.nn.Module) -> Callable[[], Node]:
        """The model's graph; lowered at once, or on the client's thread if nobody waits for it.

        Until a first snapshot has been published what is wrong must be raised here.
        """
        deferred = defer(model) if self._proven and not self._wait else None
        if deferred is not None:
            return lambda: lower(model, deferred)
        graph = lower(model)
        self._warn_once.over(Reason.NON_FINITE)
        return lambda: graph

    def _hand_over(self, client: Client, ticket: Ticket) -> bool:
        client.submit(ticket)
        if not self._wait:
            self._handed_over = ticket
            self._last = Verdict(ticket.seq, False, Reason.HANDED_OVER)
            self._tell_of_silence(client)
            return True
        verdict = client.wait_for(ticket, self._timeout)
        if verdict is None:
            return self._end(self._no_bridge(client, ticket.seq))
        self._digest(client)
        self._last = verdict
        return verdict.published

    def _digest(self, client: Client) -> None:
        """Learn from the newest answer of the bridge, once."""
        ticket = client.mailbox.answered
        if ticket is None or ticket is self._digested or ticket.verdict is None:
            return
        self._digested = ticket
        self._due_hint = DueHint(ticket, client.connections)
        self._proven = self._proven or ticket.verdict.published
        if self._record is not None and client.bridge is not None:
            self._warn_once.of_recording(client.bridge, self._record)
        self._warn_once.take(ticket.verdict, prompt=ticket.took <= self._timeout)

    def _tell_of_silence(self, client: Client) -> None:
        """With ``wait=False`` nobody waits for the timeout, but people must hear of it."""
        since = client.mailbox.unanswered_since
        if since is not None and time.monotonic() - since >= self._timeout:
            self._warn_once.take(self._no_bridge(client, self._seq))

    def _no_bridge(self, client: Client, seq: int) -> Verdict:
        trouble = client.trouble
        if client.bridge is not None:
            what = f"the bridge at {self.endpoint} (pid {client.bridge.pid}) does not answer "
            what += f"within {self._timeout:g} s"
        elif self._embedded:
            what = f"there is no bridge for {self._place.dsp_path} yet"
            what += f" ({trouble})" if trouble else ""
        else:
            trouble = trouble or f"{self.endpoint} takes connections, but says nothing"
            what = f"no bridge answers: {trouble}"
        return Verdict(seq, False, Reason.NO_BRIDGE, what)

    def _end(self, verdict: Verdict) -> bool:
        """The verdict of this side, without the bridge."""
        self._last = verdict
        self._warn_once.take(verdict)
        return verdict.published


def _snapshot(graph: Callable[[], Node], **fields: Any) -> Snapshot:
    """Called when it is sent; knows nothing of the HotReload, which may be gone by then."""
    return Snapshot(graph=graph(), **fields)


def _leave(client: Client, timeout: float, pid: int) -> None:
    """Wait for the last verdict and go; also at the interpreter's exit, but not in a fork."""
    if os.getpid() != pid:
        return
    pending = client.mailbox.pending()
    if pending is not None:
        client.wait_for(pending, timeout, last=True)
    client.close()
