"""Which bridge a command is about, and how it is asked."""

from __future__ import annotations

import argparse
import math
import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import zmq

from faustwire.curve import secure
from faustwire.endpoint import to_connect
from faustwire.key_ring import KeyRing
from faustwire.messages import Message, State, ToBridge
from faustwire.rendezvous import DSP_PATH, rendezvous
from faustwire_bridge.monitor.monitor_socket import MonitorSocket, UnreachableError
from faustwire_bridge.monitor.watcher import Watcher

_SLICE_SECONDS = 0.1
# Somebody may just be starting.
_HOPELESS_SECONDS = 1.0


@dataclass(frozen=True)
class Target:
    """A bridge that a command is about.

    Attributes:
        endpoint: where it listens.
        dsp_path: the file it keeps, if it is to be one of this machine.
        timeout: seconds that it has to answer.
        keyring: this machine's keys.
    """

    endpoint: str
    dsp_path: Path | None
    timeout: float
    keyring: KeyRing

    def watcher(self) -> Watcher:
        """A connection over which its states come."""
        return Watcher(self.endpoint, self._secure)

    def state(self) -> State:
        """Its state now.

        Raises:
            UnreachableError: none came in time.
        """
        begun = time.monotonic()
        with closing(self.watcher()) as connection:
            while not isinstance(message := connection.receive(_SLICE_SECONDS), State):
                if self.gives_up(connection, begun):
                    raise self.unreachable(connection)
            return message

    def line(self) -> MonitorSocket:
        """A connection to the bridge itself."""
        return MonitorSocket(self.endpoint, self._secure)

    def ask(self, question: ToBridge) -> Message:
        """Its answer.

        Raises:
            UnreachableError: none came in time.
        """
        with closing(self.line()) as line:
            return self.ask_over(line, question)

    def ask_over(self, line: MonitorSocket, question: ToBridge) -> Message:
        """Its answer, over a connection that serves for more than one question.

        Args:
            line: a connection to the bridge, as ``line()`` makes it; it stays open.
            question: the message to send.

        Returns:
            The next message that comes after the question was sent.

        Raises:
            UnreachableError: none came in time.
        """
        begun = time.monotonic()
        while not (line.settle(_SLICE_SECONDS) and line.send(question)):
            if self.gives_up(line, begun):
                raise self.unreachable(line)
            # The monitor tells of a connection a little before the socket can send.
            time.sleep(0.005)
        while (answer := line.receive(_SLICE_SECONDS)) is None:
            if self.gives_up(line, begun):
                raise self.unreachable(line)
        return answer

    def gives_up(self, connection: MonitorSocket, begun: float) -> bool:
        """Whether to stop waiting for a message over a connection.

        Args:
            connection: the one over which nothing has come so far.
            begun: when the wait began, in seconds of ``time.monotonic``.

        Returns:
            True if the connection was turned away, or if ``timeout`` seconds have passed; where
            another try will hardly do better, at most one second is waited.
        """
        if connection.ended:
            return True
        patience = min(self.timeout, _HOPELESS_SECONDS) if connection.hopeless else self.timeout
        return time.monotonic() >= begun + patience

    def _secure(self, made: zmq.Socket[bytes]) -> bytes | None:
        secured = secure(made, self.endpoint, self.keyring)
        return self.keyring.pair()[0] if secured else None

    def trouble(self, connection: MonitorSocket) -> str | None:
        """Why nothing comes over a connection and what to do; None: it is not known."""
        if self.dsp_path is not None and connection.refused:
            return (
                f"no bridge keeps {self.dsp_path} on this machine: start a training or `faustwire "
                "serve`, or name another one with --dsp-path or --endpoint"
            )
        return connection.trouble

    def unreachable(self, connection: MonitorSocket) -> UnreachableError:
        """The error for a connection over which nothing has come in time."""
        why = self.trouble(connection) or (
            f"{self.endpoint} accepts the connection but says nothing for {self.timeout:g} s: the "
            "bridge is stopped, or busy"
        )
        which = (
            f"--endpoint {self.endpoint}"
            if self.dsp_path is None
            else (f"--dsp-path {self.dsp_path}")
        )
        return UnreachableError(f"{why} (`faustwire doctor {which}` looks closer)")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which bridge it is about."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--dsp-path",
        metavar="FILE",
        help=f"the bridge of this machine that keeps this .dsp (default: {DSP_PATH})",
    )
    which.add_argument(
        "--endpoint",
        metavar="ENDPOINT",
        help="a bridge elsewhere, for instance tcp://studio:5555 (default: the environment's "
        "FAUSTWIRE_ENDPOINT, if there is one)",
    )
    add_keys_and_timeout(parser)


def add_keys_and_timeout(parser: argparse.ArgumentParser) -> None:
    """Let a command be told how to reach it."""
    parser.add_argument(
        "--keys",
        metavar="DIR",
        help="the folder of this machine's keys (default: the environment's FAUSTWIRE_KEYS, else "
        "~/.config/faustwire/keys)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long the bridge may take to answer (default: %(default)s)",
    )


def target(options: argparse.Namespace) -> Target:
    """The bridge that the options name.

    Raises:
        EndpointError: what ``--endpoint`` names is not an endpoint.
        PathError: the path names no file, or where it leads belongs to somebody else.
    """
    endpoint = options.endpoint or (
        None if options.dsp_path else os.environ.get("FAUSTWIRE_ENDPOINT")
    )
    keyring = KeyRing(options.keys)
    if endpoint:
        return Target(to_connect(endpoint), None, options.timeout, keyring)
    place = rendezvous(options.dsp_path or DSP_PATH)
    place.check()
    return Target(place.endpoint, place.dsp_path, options.timeout, keyring)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value
