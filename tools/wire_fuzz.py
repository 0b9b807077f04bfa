"""Mutated messages at the codec: each must be decoded, or refused with a MessageError.

    python tools/wire_fuzz.py --count 1000000

A decoded message must survive another round of encoding unchanged, and be read likewise by the
bridge, which leaves a snapshot's graph packed. None may take a second, and memory must not grow.
Prints its seed; a message that breaks a rule is saved.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import get_args

from faustwire import codec, packed_snapshot
from faustwire.errors import MessageError
from faustwire.limits import MAX_NAME
from faustwire.messages import Message, Reason, Rejection, Snapshot, ToBridge, Verdict
from faustwire.packed_snapshot import Incoming, PackedSnapshot
from mutations import Mutations
from processes import rss_mib

# CPU time; a message at the limits takes about a tenth of a second.
SLOWEST_SECONDS = 1.0
# Between a tenth of the way and the end; the allocator is not exact.
GROWTH_MIB = 16.0
FAILURES = Path("fuzz-failures")


class BrokenRuleError(AssertionError):
    """A message broke one of the rules above."""


def judge(data: bytes) -> str:
    """Decode a message; returns its type, or "refused".

    Raises:
        BrokenRuleError: it broke a rule.
    """
    came = read_packed(data)
    try:
        message = codec.decode(data)
    except MessageError as problem:
        # What it can be answered with.
        codec.decode(codec.encode(Rejection(str(problem))))
        codec.decode(codec.encode(Verdict(problem.seq or 0, False, Reason.REFUSED, str(problem))))
        return "refused"
    again = codec.encode(message)
    if codec.encode(codec.decode(again)) != again:
        raise BrokenRuleError("it is not the same again")
    if not is_same(came, message):
        raise BrokenRuleError("the bridge reads something else")
    return codec._NAMES[type(message)]


def read_packed(data: bytes) -> Incoming | None:
    """Read a message as the bridge does; None: it is refused, with what it can be answered."""
    try:
        return packed_snapshot.read(data)
    except MessageError as problem:
        codec.decode(codec.encode(Rejection(str(problem))))
        return None


def is_same(came: Incoming | None, message: Message) -> bool:
    """Whether what the bridge has read is the message, as far as it has read it."""
    if not isinstance(message, get_args(ToBridge)):
        return came is None
    if not isinstance(message, Snapshot):
        return came is not None and codec.encode(message) == codec.encode(came)  # type: ignore[arg-type]
    if not isinstance(came, PackedSnapshot):
        return False
    metrics = {name: value for name, value in message.metrics.items() if len(name) <= MAX_NAME}
    header = message.seq, message.call, message.force, repr(metrics)
    return header == (came.seq, came.call, came.force, repr(dict(came.metrics)))


class WireFuzz:
    """A fuzz over the messages of a seed.

    Attributes:
        outcomes: number of messages by outcome.
        slowest: (CPU seconds, number) of the message that took longest.
    """

    def __init__(self, seed: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.slowest = (0.0, 0)
        self._seed = seed
        self._mutations = Mutations(seed)

    def step(self, number: int) -> None:
        """Test the message of a number.

        Raises:
            BrokenRuleError: states where the message is saved.
        """
        data = self._mutations.message(number)
        begun = time.thread_time()
        try:
            outcome = judge(data)
            seconds = time.thread_time() - begun
            if seconds > SLOWEST_SECONDS:
                raise BrokenRuleError(f"it takes {seconds:.2f} s")  # noqa: TRY301
        except Exception as problem:
            place = save(data, self._seed, number)
            raise BrokenRuleError(
                f"message {number} of seed {self._seed}, saved as {place}: {problem!r}"
            ) from problem
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, (seconds, number))


def save(data: bytes, seed: int, number: int) -> Path:
    """Keep a message that broke a rule."""
    FAILURES.mkdir(exist_ok=True)
    place = FAILURES / f"{seed}-{number}.msgpack"
    place.write_bytes(data)
    return place


def main() -> None:
    """Run the fuzz and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--first", type=int, default=1, help="number of the first message")
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    warnings.simplefilter("error")
    sys.stdout.write(f"codec: {options.count} messages of seed {seed}\n")
    fuzz, begun, at_first = WireFuzz(seed), time.monotonic(), 0.0
    for number in range(options.first, options.first + options.count):
        fuzz.step(number)
        if number - options.first == options.count // 10:
            at_first = rss_mib()
    grown = rss_mib() - at_first
    told = ", ".join(f"{outcome} {count}" for outcome, count in fuzz.outcomes.most_common())
    sys.stdout.write(
        f"  {time.monotonic() - begun:.0f} s: {told}\n"
        f"  slowest {fuzz.slowest[0] * 1e3:.0f} ms (message {fuzz.slowest[1]}), "
        f"memory {at_first:.0f} MiB, grown by {grown:.1f} MiB\n"
    )
    if grown > GROWTH_MIB:
        sys.exit(f"memory grew by {grown:.1f} MiB")


if __name__ == "__main__":
    main()
