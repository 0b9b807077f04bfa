"""Random graphs and texts, valid and not, through a bridge's core and a real libfaust.

    python tools/gate_fuzz.py --count 100000 --seed 1

Constants come from the whole range of double. Every program that the core decides to write must be
safe in the plugin, as ``safe_program`` finds out by playing it. Fails with the first that is not.
No sockets or files are involved.
"""

from __future__ import annotations

import argparse
import select
import sys
import time
from collections import Counter

import numpy as np

from faustwire import codec
from faustwire.errors import FaustwireError
from faustwire.messages import Hello, Reason, Verdict, Welcome
from faustwire.packed_snapshot import read
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.children.compiler import Compiler, Failed, Missing
from faustwire_bridge.core import events, instructions, pipeline, state_machine
from faustwire_bridge.core.sound_limits import Limits
from random_calls import Calls
from safe_program import check

_TELL_EVERY = 200


class Fuzz:
    """A core with a real libfaust, whose disk checks every program that it is given.

    Attributes:
        reasons: number of calls by reason.
    """

    def __init__(self, seed: int) -> None:
        self.reasons: Counter[str] = Counter()
        self._rng = np.random.default_rng(seed)
        self._calls = Calls(self._rng)
        self._compiler = Compiler("live")
        self._core = state_machine.Core(Welcome(1, "here", "/live.dsp"), 0.0)
        self._core.handle(events.Arrived(b"fuzz", Hello("fuzz", "1", min_interval=0)), 0.0)
        self._seq = 0

    def close(self) -> None:
        """End libfaust."""
        self._compiler.close()

    def step(self) -> Reason | None:
        """Make one random call.

        Returns:
            The reason; None: no valid message came of it.

        Raises:
            AssertionError: a harmful program would have been written.
        """
        self._seq += 1
        try:
            message = read(codec.encode(self._calls.message(self._seq)))
        except FaustwireError:
            self.reasons["no message"] += 1
            return None
        # So much time that whatever failed may be tried again.
        now = self._seq * pipeline.RETRY_SECONDS
        reason = self._handle(events.Arrived(b"fuzz", message), now)
        self.reasons[str(reason)] += 1
        return reason

    def _handle(self, event: events.CoreEvent, now: float) -> Reason:
        made = self._core.handle(event, now)
        [instruction] = [one for one in made if not isinstance(one, instructions.Happened)]
        match instruction:
            case instructions.Judge(data, playing, playing_db):
                judged = judge(data, limits=Limits(), playing=playing, playing_db=playing_db)
                return self._handle(judged, now)
            case instructions.Compile(program, play, thorough):
                return self._handle(self._compile(program, play=play, thorough=thorough), now)
            case instructions.Write(program):
                check(program, self._rng)
                return self._handle(events.Written(), now)
            case instructions.Send(message=Verdict(reason=reason)):
                return reason
        raise AssertionError(f"unexpected: {instruction}")

    def _compile(self, program: str, *, play: bool, thorough: bool) -> events.CoreEvent:
        self._compiler.ask(program, play=play, thorough=thorough)
        while (answer := self._compiler.receive()) is None:
            descriptor = self._compiler.fileno()
            assert descriptor is not None
            select.select([descriptor], [], [], 0.1)
        assert not isinstance(answer, Missing)
        return (
            events.CompileFailed(answer.problem)
            if isinstance(answer, Failed)
            else events.Compiled(answer)
        )


def main() -> None:
    """Run the fuzz and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fuzz, begun = Fuzz(options.seed), time.monotonic()
    for number in range(1, options.count + 1):
        fuzz.step()
        if number % _TELL_EVERY == 0 or number == options.count:
            told = ", ".join(f"{reason} {count}" for reason, count in fuzz.reasons.most_common())
            sys.stdout.write(f"{number} in {time.monotonic() - begun:.0f} s: {told}\n")
            sys.stdout.flush()
    fuzz.close()


if __name__ == "__main__":
    main()
