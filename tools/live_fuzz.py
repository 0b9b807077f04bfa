"""Mutated messages at a live bridge, which must serve a well-behaved worker throughout.

    python tools/live_fuzz.py --count 100000

The messages come over real connections, with and without a Hello, some in several frames; between
them come peers that speak no ZeroMQ or send too much. The bridge must not end, log an internal
error or grow; each call of the well-behaved worker must get its verdict.
"""

from __future__ import annotations

import argparse
import random
import secrets
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import numpy as np
import zmq

from bridges import Plugin, ServedBridge, served
from faustwire import codec
from faustwire.messages import Choice, Follow, Hello, Snapshot
from graphs import fdn
from load import Plan, Tally, begin, end, processes, tallies
from mutations import Mutations
from processes import rss_mib

CONNECTIONS = 8
# Messages over one connection, which then goes.
_A_CONNECTION = 400
# Calls after which somebody has the plugin follow everybody.
_A_CHOICE = 100
# How often strangers come: one for this many messages.
_A_STRANGER = 2000
# The longest that the bridge may be busy with what it has before it reads on.
_PATIENCE_SECONDS = 60.0
_PACE_SECONDS = 0.02
# Between a tenth of the way and the end: what may be remembered of 256 sessions and of programs.
GROWTH_MIB = 48.0


@dataclass
class Report:
    """Results of a run; times in seconds, memory in MiB."""

    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    good: Tally = field(default_factory=Tally)
    rss: list[float] = field(default_factory=list)
    internal_errors: int = 0

    @property
    def grown(self) -> float:
        """Growth of the bridge's memory after the first tenth of the run, MiB."""
        return self.rss[-1] - self.rss[len(self.rss) // 10]

    def problems(self) -> list[str]:
        """Violated expectations, one sentence each."""
        found = {
            f"{self.internal_errors} internal errors in the bridge's log": self.internal_errors,
            f"the good worker got {self.good.lost} calls no verdict on": self.good.lost,
            f"the good worker got {self.good.twice} verdicts twice": self.good.twice,
            "the good worker was not served": not self.good.latencies,
            f"the bridge has grown by {self.grown:.0f} MiB": self.grown > GROWTH_MIB,
        }
        return [problem for problem, is_so in found.items() if is_so]

    def __str__(self) -> str:
        told = ", ".join(f"{kind} {count}" for kind, count in self.answers.most_common())
        p50, p99, most = np.percentile(self.good.latencies, (50, 99, 100)) * 1e3
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.good.reasons.items())
        return (
            f"  {self.seconds:.0f} s; answers: {told}\n"
            f"  the good worker: {len(self.good.latencies)} verdicts ({reasons}), lost "
            f"{self.good.lost}, p50 {p50:.1f} ms, p99 {p99:.0f} ms, longest {most:.0f} ms\n"
            f"  the bridge: {self.rss[0]:.0f} MiB at first, {self.rss[len(self.rss) // 10]:.0f} "
            f"after a tenth, {self.rss[-1]:.0f} in the end; {self.internal_errors} internal errors"
        )


class Attack:
    """The connections that send mutated messages."""

    def __init__(self, bridge: ServedBridge, seed: int) -> None:
        self.answers: Counter[str] = Counter()
        self._bridge = bridge
        self._mutations = Mutations(seed)
        self._dice = random.Random(seed)  # noqa: S311 - dice
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealers = [self._connect(number) for number in range(CONNECTIONS)]

    def close(self) -> None:
        """Wait until the bridge has read everything, then disconnect."""
        for dealer in self._dealers:
            self._settle(dealer)
        self._context.destroy(linger=0)

    def step(self, number: int) -> None:
        """Send the message of a number."""
        place = number % CONNECTIONS
        if number // CONNECTIONS % _A_CONNECTION == 0:
            self._settle(self._dealers[place])
            self._dealers[place].close(linger=0)
            self._dealers[place] = self._connect(number)
        frames = [self._mutations.message(number)]
        if self._dice.random() < 0.05:
            frames *= self._dice.choice((2, 3, 40))
            frames[0] = self._dice.choice((b"", frames[0]))
        self._send(self._dealers[place], frames)
        self._read(self._dealers[place])
        if number % _A_CHOICE == 0:
            self._choose()
        if number % _A_STRANGER == 0:
            self._strange()

    def _connect(self, number: int) -> zmq.Socket[bytes]:
        dealer = self._context.socket(zmq.DEALER)
        dealer.connect(self._bridge.endpoint)
        if number % 2:
            self._send(dealer, [codec.encode(Hello(f"bad{number}", f"{number}", min_interval=0))])
        return dealer

    def _send(self, dealer: zmq.Socket[bytes], frames: list[bytes]) -> None:
        assert dealer.poll(int(_PATIENCE_SECONDS * 1e3), zmq.POLLOUT), "the bridge does not read on"
        dealer.send_multipart(frames)

    def _read(self, dealer: zmq.Socket[bytes]) -> None:
        with suppress(zmq.Again):
            while True:
                self._count(dealer.recv(zmq.DONTWAIT))

    def _count(self, data: bytes) -> str:
        codec.decode(data)
        body = msgpack.unpackb(data)
        kind = str(body.get("reason", body["type"]))
        self.answers[kind] += 1
        return kind

    def _settle(self, dealer: zmq.Socket[bytes]) -> None:
        """Wait until all messages have been read: a Welcome comes after those sent before it."""
        self._read(dealer)
        self._send(dealer, [codec.encode(Hello("last", secrets.token_hex(8)))])
        end, welcome = time.monotonic() + _PATIENCE_SECONDS, False
        while not welcome or dealer.poll(50):
            left = end - time.monotonic()
            assert dealer.poll(int(max(0.0, left) * 1e3)), "the bridge does not answer Hello"
            # Behind it may come a state that was asked for before.
            welcome |= self._count(dealer.recv()) == "welcome"

    def _choose(self) -> None:
        """Have the plugin follow the latest worker again: some mutations are a valid Follow."""
        self._send(self._dealers[0], [codec.encode(Follow(Choice()))])

    def _strange(self) -> None:
        """Connect peers that speak no ZeroMQ, or send more than the largest message."""
        host, _, port = self._bridge.endpoint.removeprefix("tcp://").rpartition(":")
        greeting = self._dice.choice((b"", b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL"))
        with suppress(OSError), socket.create_connection((host, int(port)), 5.0) as stranger:
            stranger.sendall(greeting + self._dice.randbytes(200))
        large = self._context.socket(zmq.DEALER)
        large.connect(self._bridge.endpoint)
        large.send(bytes(codec.MAX_BYTES + 1))
        large.poll(100)
        large.close(linger=0)


def fuzz(count: int, seed: int) -> Report:
    """Send messages 1 to ``count`` of a seed to a new bridge."""
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "plugin"
        folder.mkdir()
        snapshot = Path(name) / "snapshot.msgpack"
        snapshot.write_bytes(codec.encode(Snapshot(1, 1, 48000.0, fdn(4))))
        begun = time.monotonic()
        with served(Plugin(folder)) as bridge:
            pid = bridge.process.pid
            plan = Plan(bridge.endpoint, str(snapshot), seconds=1e9, pace=_PACE_SECONDS)
            with processes([plan]) as good:
                begin(good)
                attack = Attack(bridge, seed)
                for number in range(1, count + 1):
                    attack.step(number)
                    if number % max(1, count // 100) == 0:
                        report.rss.append(rss_mib(pid))
                attack.close()
                end(good)
                [report.good] = tallies(good)
            assert bridge.process.poll() is None, f"the bridge has ended: {bridge.log()[-2000:]}"
            report.rss.append(rss_mib(pid))
        report.internal_errors = bridge.log().count("internal error")
        if report.internal_errors:
            sys.stderr.write(bridge.log()[-8000:])
    report.seconds = time.monotonic() - begun
    report.answers = attack.answers
    return report


def main() -> None:
    """Run the fuzz and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, help="default: a new one")
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    sys.stdout.write(f"live bridge: {options.count} messages of seed {seed}\n")
    sys.stdout.flush()
    report = fuzz(options.count, seed)
    sys.stdout.write(f"{report}\n")
    if problems := report.problems():
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
