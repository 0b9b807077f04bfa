"""A training process that calls ``update`` again and again and reports each call.

    python trainee.py ENDPOINT [--worker NAME] [--timeout SECONDS] [--keys FOLDER]

prints one JSON object a call and ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from bridges import DEADLINE, eventually

# A training step that takes as long.
_STEP_SECONDS = 0.02


@dataclass(frozen=True)
class Call:
    """One call of ``update``; times are ``time.monotonic()``, which a machine's processes share."""

    begun: float
    ended: float
    published: bool
    reason: str
    detail: str


@dataclass
class Trainee:
    """The training process as its parent sees it."""

    process: subprocess.Popen[str]
    calls: list[Call] = field(default_factory=list)

    def read(self) -> None:
        """Read its reports until it ends; runs on a thread."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.calls.append(Call(**json.loads(line)))

    def since(self, moment: float) -> list[Call]:
        """Calls that began after a moment."""
        return [call for call in list(self.calls) if call.begun >= moment]

    def longest(self, moment: float) -> float:
        """Duration of the longest call since a moment, seconds."""
        return max(call.ended - call.begun for call in self.since(moment))

    def publishes_after(self, moment: float, what: str, seconds: float = DEADLINE) -> float:
        """Wait for a publish that began after a moment; returns the seconds from then to it."""
        eventually(lambda: any(call.published for call in self.since(moment)), what, seconds)
        return next(call.ended for call in self.since(moment) if call.published) - moment


@contextmanager
def trained(endpoint: str, *arguments: str, within: Sequence[str] = ()) -> Iterator[Trainee]:
    """Run a training process; ``within`` is put before its command."""
    process = subprocess.Popen(
        [*within, sys.executable, __file__, endpoint, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    trainee = Trainee(process)
    reader = threading.Thread(target=trainee.read)
    reader.start()
    try:
        yield trainee
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(DEADLINE)
        reader.join()
        process.stdout.close()


def main() -> None:
    """Train until standard input ends."""
    # Only the process itself needs these, and they take seconds.
    from faustwire_publisher import HotReload  # noqa: PLC0415
    from trainings import Training  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("--worker", default="trainee")
    parser.add_argument("--timeout", type=float, default=1.0)
    parser.add_argument("--keys")
    options = parser.parse_args()
    with HotReload(
        48000,
        endpoint=options.endpoint,
        worker=options.worker,
        timeout=options.timeout,
        keys=options.keys,
        min_interval=0,
    ) as live:
        steps = Training(live)
        while not select.select([sys.stdin], [], [], _STEP_SECONDS)[0]:
            begun = time.monotonic()
            published = steps.step()
            call = Call(begun, time.monotonic(), published, str(live.last.reason), live.last.detail)
            _tell(call)
        begun = time.monotonic()
    _tell(Call(begun, time.monotonic(), False, "closed", ""))


def _tell(call: Call) -> None:
    sys.stdout.write(json.dumps(asdict(call)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
