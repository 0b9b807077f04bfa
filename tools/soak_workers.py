"""Trainings for the soak test: real HotReloads and FLAMO models, forked from one process.

    python soak_workers.py

reads a Role as JSON from each line of its standard input, forks a worker that plays it, and prints
that one's pid. torch is imported once. A worker ends orderly on SIGTERM; its Account is in its file
all the time, so that it can be read of one that was killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import warnings
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

warnings.filterwarnings("ignore")

import torch  # noqa: E402

from faustwire.messages import Reason  # noqa: E402
from faustwire_publisher import HotReload  # noqa: E402
from faustwire_publisher.mailbox import Ticket  # noqa: E402
from models import Knob, fdn  # noqa: E402

_MIN_INTERVAL_SECONDS = 0.1
_TIMEOUT_SECONDS = 2.0
# Between two calls: sixteen trainings leave a core to the rest.
_PAUSE_SECONDS = (0.02, 0.12)
_ACCOUNT_SECONDS = 0.5
_MAX_WAITS = 2000
# How many calls are forced, wait=False and True. No throttle hides it when one is done twice, and
# only who waits sends it again: the others have something newer by then.
_FORCED = (0.02, 0.25)


@dataclass(frozen=True)
class Role:
    """A worker of the soak test; its name contains ``slot``, its account goes to ``file``."""

    slot: int
    endpoint: str
    file: str
    wait: bool
    settle: bool


@dataclass
class Account:
    """Outcomes of a worker's calls.

    Attributes:
        calls: of ``update``.
        handed_over: snapshots handed to the connection, and ended.
        outcomes: their number by reason.
        told: calls that returned without a bridge's answer; it may have come later.
        open: snapshots that have not ended yet.
        ended: the worker ended in order, so open snapshots are lost.
        waits: of the last calls that had a verdict, when they began and what they took, seconds.
    """

    calls: int = 0
    handed_over: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    told: int = 0
    open: int = 0
    ended: bool = False
    waits: list[tuple[float, float]] = field(default_factory=list)


class _Watched(HotReload):
    """A HotReload that keeps its tickets."""

    def __init__(self, role: Role) -> None:
        self.tickets: list[Ticket] = []
        super().__init__(
            48000,
            endpoint=role.endpoint,
            worker=f"w{role.slot}-{os.getpid()}",
            wait=role.wait,
            settle=role.settle,
            min_interval=_MIN_INTERVAL_SECONDS,
            timeout=_TIMEOUT_SECONDS,
        )
        hand_over = self._session.hand_over

        def watched(ticket: Ticket) -> bool:
            self.tickets.append(ticket)
            return hand_over(ticket)

        self._session.hand_over = watched  # type: ignore[method-assign]


class _Training:
    def __init__(self, role: Role) -> None:
        self._role = role
        self._dice = random.Random(os.getpid())  # noqa: S311 - dice
        self._knob = Knob() if role.slot % 2 else None
        self._model = self._knob.model if self._knob else fdn(4)
        self._live = _Watched(role)
        self._account = Account()
        self._outcomes: Counter[str] = Counter()
        # What a call with wait=True was told of; no verdict is owed to it.
        self._told: set[int] = set()
        self._stopping = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def run(self) -> None:
        due = 0.0
        while not self._stopping:
            self._step()
            if time.monotonic() >= due:
                self._write()
                due = time.monotonic() + _ACCOUNT_SECONDS
            time.sleep(self._dice.uniform(*_PAUSE_SECONDS))
        self._live.close()
        self._account.ended = True
        self._write()

    def _step(self) -> None:
        with torch.no_grad():
            for parameter in self._model.parameters():
                parameter.mul_(1 + self._dice.uniform(-1e-3, 1e-3))
        metrics = {"loss": self._dice.random()}
        sent, begun = len(self._live.tickets), time.monotonic()
        self._live.update(
            self._model, force=self._dice.random() < _FORCED[self._role.wait], metrics=metrics
        )
        self._account.calls += 1
        last = self._live.last
        if (
            self._role.wait
            and last.reason is not Reason.NO_BRIDGE
            and len(self._live.tickets) > sent
        ):
            waits = [*self._account.waits, (begun, time.monotonic() - begun)]
            self._account.waits = waits[-_MAX_WAITS:]
        if last.reason is Reason.NO_BRIDGE and self._role.wait:
            self._account.told += 1
            self._told.add(last.seq)

    def _write(self) -> None:
        ended = [ticket for ticket in self._live.tickets if ticket.verdict is not None]
        self._account.handed_over += len(ended)
        for ticket in ended:
            assert ticket.verdict is not None
            self._outcomes[str(ticket.verdict.reason)] += 1
            self._told.discard(ticket.seq)
        self._live.tickets = [ticket for ticket in self._live.tickets if ticket.verdict is None]
        owed = [ticket for ticket in self._live.tickets if ticket.seq not in self._told]
        self._account.open = len(owed)
        self._account.outcomes = dict(self._outcomes)
        file = Path(self._role.file)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self._account)))
        fresh.replace(file)


def main() -> None:
    """Fork a worker for each line."""
    torch.set_num_threads(1)
    # Nobody waits for those that were killed.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in iter(sys.stdin.readline, ""):
        role = Role(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                _Training(role).run()
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
