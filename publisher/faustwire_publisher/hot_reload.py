"""HotReload, the class that people use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from faustwire.controls import sliders
from faustwire.errors import GraphError, NonFiniteError
from faustwire.graph import Node
from faustwire.limits import MIN_CHANGE_DB
from faustwire.messages import Hello, OwnProgram, Reason, Verdict
from faustwire.rendezvous import CONFIG_PATH, DSP_PATH
from faustwire_publisher.arguments import Metrics, number, period, read_metrics, sampling_rate, text
from faustwire_publisher.bridge_link import BridgeLink
from faustwire_publisher.errors import ArgumentError, ModelError
from faustwire_publisher.gate_options import with_reloads
from faustwire_publisher.impulse_response import impulse_response
from faustwire_publisher.lowering import Lowerings
from faustwire_publisher.mailbox import Ticket
from faustwire_publisher.page import Page
from faustwire_publisher.program_settings import ProgramSettings
from faustwire_publisher.training_steps import followed, never_compiled
from faustwire_publisher.worker_session import WorkerSession

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from typing_extensions import Self

# Long enough for a bridge to start from a cold disk; an update waits for it at most once.
_TIMEOUT_SECONDS = 5.0


class HotReload:
    """Publish a FLAMO model to a running hot-reload Faust plugin while it trains.

    Interface and meaning are those of ``adac.HotReload``. The work is done by a bridge process:
    one on this machine, started when there is none for this ``dsp_path``, or the one at
    ``endpoint``.

    Args:
        fs: sampling rate, Hz.
        name: of the program, for its header.
        dsp_path: the ``.dsp`` to keep. Its basename must stay the same while the plugin runs.
        config_path: the plugin's config file, whose first line is kept naming ``dsp_path``.
        every: publish at most every n-th call of ``update``; the first call always counts as one.
        min_interval: seconds at least between two reloads of the plugin, whoever caused them; 0
            switches every time throttle off, and one warning says what part of the audio is lost.
        controls: macro controls "rt60", "dry_wet", "pre_delay": True, or a dict that overrides
            init, min, max, step or label.
        endpoint: ZeroMQ endpoint of a running bridge, for instance "tcp://studio:5555"; default:
            the environment's FAUSTWIRE_ENDPOINT, else a bridge on this machine. With one, the
            paths are the bridge's, and those given here are not used.
        worker: the name to be known by; default: host name and process id.
        wait: whether ``update`` waits for the verdict. With False it never waits: True then means
            handed over, a newer snapshot replaces one that is still queued, and ``last`` tells
            later how it ended.
        timeout: seconds that a call waits at most. After a timeout, calls stop blocking until the
            bridge responds again within this time.
        settle: have the bridge write the newest throttled snapshot as soon as the throttle allows,
            so that the plugin always ends on the newest state. ``update`` still returns False for
            such a call, which then costs this process as much as a published one.
        record: a folder, or a file that ends in ``.mcap``, to which the bridge that is started here
            records the run; see docs/recording.md. While it does, every call is sent.
        keys: the folder of this machine's keys. With one, nothing is sent in the clear, so the key
            of the bridge at ``endpoint`` must be known there (``faustwire keys trust``). Default:
            the environment's FAUSTWIRE_KEYS, else ``~/.config/faustwire/keys``, for the bridges
            that are known there. A bridge on this machine needs no keys.
        min_change_db: a change of the response below this, in dB of the response that plays, is not
            heard and causes no reload (``inaudible``), unless forced; small changes add up. None:
            every change does. With an ``endpoint`` it is for the bridge there to say.
        let_ring: reloads are at least this part of the model's RT60 apart, since each cuts the
            tail; None: they need not be. With an ``endpoint`` as above.
        gates: options of the bridge that is started here, which decide what is written, by name:
            max_gain_db, max_jump_db, max_load (in percent), allow_unstable, compile_gate,
            compile_timeout, faust_libraries, cost_multiple. Default and meaning: see
            ``faustwire serve --help``.
        listen: serve the page that plays the model in the browser, see ``listen``.

    It can be copied and pickled: a copy has the same arguments and connects on its own.

    Raises:
        ValueError: an argument makes no sense (``faustwire.errors.FaustwireError`` covers all).

    Attributes:
        endpoint: the endpoint in use.
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
        min_change_db: float | None = MIN_CHANGE_DB,
        let_ring: float | None = None,
        gates: Mapping[str, Any] | None = None,
        listen: bool = False,
    ) -> None:
        self.fs = sampling_rate(fs)
        self.name = text("name", name)
        self._program = ProgramSettings(self.fs, self.name, sliders(controls))
        self._wait = wait
        link = BridgeLink(
            dsp_path=dsp_path,
            config_path=config_path,
            endpoint=endpoint,
            keys=keys,
            record=record,
            gates=with_reloads(gates, min_change_db, let_ring),
        )
        self.endpoint = link.endpoint
        hello = Hello(
            "" if worker is None else text("worker", worker),
            incarnation="",
            every=period(every),
            min_interval=number("min_interval", min_interval),
            settle=bool(settle),
        )
        timeout = number("timeout", timeout, above=0)
        self._session = WorkerSession(link, hello, wait=wait, timeout=timeout)
        self._lowerings = Lowerings(self.fs)
        self._calls = 0
        self._heard: Callable[[], Node] | None = None
        self._page = Page(link.page_options(), self.endpoint)
        if listen:
            self._page.start()

    @property
    def worker(self) -> str:
        """The name in use."""
        return self._session.worker

    def __getstate__(self) -> dict[str, Any]:
        # A copy, or what comes out of a pickle, keeps the arguments and is a worker of its own.
        anew = {"_calls": 0, "_heard": None, "_lowerings": Lowerings(self.fs)}
        return {**self.__dict__, **anew, "_session": copy(self._session)}

    # -- the three calls -----------------------------------------------------------------------

    def update(
        self,
        model: torch.nn.Module,
        *,
        force: bool = False,
        metrics: Metrics | None = None,
    ) -> bool:
        """Publish the model if it is due; to be called after each optimiser step.

        Args:
            model: a FLAMO module.
            force: bypass the throttles and ``min_change_db``, never the dedupe or a safety check.
            metrics: losses and the like by name, numbers or tensors of one element; or a function
                that returns them, which is called only if the call is sent.

        Returns:
            True: a new ``.dsp`` was written and the plugin will reload (with ``wait=False``: handed
            over). False: throttled, unchanged, inaudible, refused, or no bridge: see ``last``.

        Raises:
            ModelError: the model can't be expressed. Only until a first snapshot has been
                published; later it costs a warning and False.
            ArgumentError: the metrics are not numbers by name. Only until then, too.
            ForkError: called in a forked process.
        """
        return never_compiled(self._update, model, force, metrics)

    def _update(self, model: torch.nn.Module, force: bool, metrics: Metrics | None) -> bool:
        session = self._session
        with session.call():
            self._calls = call = self._calls + 1
            if not force and session.skip(call):
                return False
            numbers = self._numbers(metrics)
            try:
                graph = self._lowered(model)
            except NonFiniteError as problem:
                return session.end(Verdict(0, False, Reason.NON_FINITE, str(problem)))
            except GraphError as problem:
                if not session.proven:
                    raise
                return session.end(Verdict(0, False, Reason.REFUSED, str(problem)))
            seq = session.next_seq()
            published = session.hand_over(
                Ticket(seq, self._program.snapshot(graph, seq, call, numbers), force)
            )
            if session.last.reason is Reason.REFUSED and not session.proven:
                raise ModelError(self.name, session.last.detail)
            if published:
                self._heard = graph
            return published

    def publish(self, code: str) -> bool:
        """Publish a Faust program of your own; no throttle applies, the dedupe does.

        Args:
            code: the program, as text.

        Returns:
            As ``update``.

        Raises:
            TypeError: ``code`` is not text.
            ForkError: called in a forked process.
        """
        if not isinstance(code, str):
            raise TypeError(f"publish takes Faust text, not {type(code).__name__}")
        with self._session.call():
            self._session.note_remarks(())
            own = OwnProgram(self._session.next_seq(), code)
            return self._session.hand_over(Ticket(own.seq, lambda: own, own=True))

    @contextmanager
    def follow(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        metrics: Metrics | None = None,
    ) -> Iterator[Self]:
        """Call ``update(model)`` after every step that trains it, and once at the end, forced.

        For loops that offer no callback, such as FLAMO's ``Trainer``::

            with live.follow(model):
                trainer.train(train_set, valid_set)

        Args:
            model: a FLAMO module.
            optimizer: the optimiser that trains it; None: every optimiser that steps in this
                process while it has a parameter of the model, also one that is made later.
            metrics: as in ``update``, read again for each call.

        Yields:
            This HotReload.
        """

        def update(at_end: bool) -> None:
            self.update(model, force=at_end, metrics=metrics)

        with followed(model, optimizer, update):
            yield self

    # -- how it ended ----------------------------------------------------------------------------

    @property
    def last(self) -> Verdict:
        """The verdict on the last call, or what is known of it so far.

        Raises:
            RuntimeError: nothing was called yet.
        """
        return self._session.last

    def impulse_response(self, seconds: float = 1.0) -> NDArray[np.float64]:
        """How the model sounds that ``update`` published last (``wait=False``: handed over last).

        Args:
            seconds: the length of the response.

        Returns:
            [samples, channels], float64 at the rate ``fs``: the outputs' responses to an impulse at
            the first input, then those to one at the next. Without knobs.

        Raises:
            RuntimeError: nothing has been published yet.
            ArgumentError: a length that is not above 0.
        """
        if self._heard is None:
            raise RuntimeError("there is no impulse response before the first publish of a model")
        samples = max(1, round(number("seconds", seconds, above=0) * self.fs))
        return impulse_response(self._heard(), samples)

    def listen(self) -> Page:
        """Serve the page that plays the model in the browser; returns at once.

        Returns:
            The page, see ``page.Page``; a notebook shows it in the cell.
        """
        self._page.start()
        return self._page

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the newest snapshot that was handed over has its verdict.

        Args:
            timeout: seconds; None: the one given to HotReload.

        Returns:
            Whether nothing is left to wait for.

        Raises:
            ForkError: called in a forked process.
        """
        return self._session.flush(timeout)

    def close(self) -> None:
        """Wait for the last verdict, and leave the bridge; another ``update`` connects again.

        Raises:
            ForkError: called in a forked process.
        """
        self._lowerings.forget()
        self._session.close()

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

    def _numbers(self, metrics: Metrics | None) -> dict[str, float]:
        """The metrics that can be sent; what is wrong with others is raised until a publish."""
        numbers, wrong = read_metrics(metrics)
        if wrong is not None:
            if not self._session.proven:
                raise ArgumentError(wrong)
            self._session.warn_once.of_metrics(wrong)
        return numbers

    def _lowered(self, model: torch.nn.Module) -> Callable[[], Node]:
        """The model's graph; lowered at once, or on the connection's thread if nobody waits for it.

        Until a first snapshot has been published what is wrong must be raised here.
        """
        if self._session.proven and not self._wait:
            deferred = self._lowerings.defer(model)
            if deferred is not None:
                return deferred
        lowered = self._lowerings.lower(model)
        self._session.note_remarks(lowered.remarks)
        self._session.warn_once.over(Reason.NON_FINITE)
        return lambda: lowered.graph
