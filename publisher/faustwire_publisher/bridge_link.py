"""Which bridge HotReload and Replay use, and how it is reached: paths, endpoint, keys."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from faustwire.file_path import file_path
from faustwire.key_ring import KeyRing
from faustwire.limits import MAX_NAME
from faustwire.messages import Hello, Welcome
from faustwire.rendezvous import CONFIG_PATH, Keeper, rendezvous
from faustwire_publisher.arguments import knows, record_target, remote_endpoint
from faustwire_publisher.bridge_process import EmbeddedBridge
from faustwire_publisher.client import Client
from faustwire_publisher.errors import ArgumentError
from faustwire_publisher.gate_options import read_gates, to_options


def default_worker() -> str:
    """The name of a worker to which none was given: host name and process id."""
    return f"{socket.gethostname()[: MAX_NAME - 16]}-{os.getpid()}"


class BridgeLink:
    """The way to one bridge: a running one at an endpoint, or one on this machine.

    A bridge on this machine is started when there is none for the ``.dsp``.

    Attributes:
        endpoint: the endpoint in use.
        record: where the bridge that is started here records to, an absolute path; None: nowhere.
    """

    def __init__(
        self,
        *,
        dsp_path: str | Path,
        config_path: str | Path,
        endpoint: str | None = None,
        keys: str | Path | None = None,
        record: str | Path | None = None,
        gates: Mapping[str, Any] | None = None,
    ) -> None:
        """Check the arguments; nothing is connected or started yet.

        Args:
            dsp_path: the ``.dsp`` of a bridge on this machine; relative to the current directory.
            config_path: the plugin's config file; relative to the current directory.
            endpoint: of a running bridge; None: the environment's FAUSTWIRE_ENDPOINT, else a bridge
                on this machine.
            keys: the folder of this machine's keys, which must know the bridge's; None: the default
                folder, for the bridges that are known there.
            record: where a bridge that is started here is to record to.
            gates: options of the gates of a bridge that is started here, by name.

        Raises:
            ArgumentError: an argument makes no sense.
            PathError: a path names no file, or where it leads belongs to somebody else.
            KeyFileError: a file of keys can't be used.
        """
        place = rendezvous(dsp_path)
        config = file_path(config_path, "config_path")
        if place.dsp_path == config:
            raise ArgumentError(f"dsp_path and config_path are the same file, {config}")
        remote = endpoint or os.environ.get("FAUSTWIRE_ENDPOINT")
        if not remote:
            place.check()
        self.record = None if record is None else record_target(record, remote)
        self.endpoint = remote_endpoint(remote) if remote else place.endpoint
        self._place = place
        self._keyring = KeyRing(keys) if remote else None
        self._keys_option = [] if keys is None else ["--keys", str(Path(keys).absolute())]
        # Decided once: no fault later on may make a worker send in the clear.
        self._encrypted = self._keyring is not None and knows(self._keyring, self.endpoint, keys)
        self._config_path = str(config)
        self._gates = read_gates(gates, remote)
        self._bridge = (
            None
            if remote
            else EmbeddedBridge(place, str(config), self.record, to_options(self._gates))
        )

    def page_options(self) -> list[str]:
        """The options with which ``faustwire listen`` finds this bridge."""
        if self._bridge is not None:
            return ["--dsp-path", str(self._place.dsp_path)]
        return ["--endpoint", self.endpoint, *self._keys_option]

    def connect(self, hello: Hello, *, steps_aside: bool = False) -> Client:
        """Start a connection for a worker of this process.

        Args:
            hello: the worker; host, process, incarnation and a missing name are filled in.
            steps_aside: let whoever hands a message over continue first; nobody waits for it.
        """
        own = replace(
            hello,
            worker=hello.worker or default_worker(),
            incarnation=secrets.token_hex(8),
            host=socket.gethostname(),
            pid=os.getpid(),
        )
        return Client(
            self.endpoint,
            own,
            None if self._bridge is None else self._bridge.revive,
            steps_aside=steps_aside,
            keyring=self._keyring,
            encrypted=self._encrypted,
        )

    def differences(self, bridge: Welcome) -> list[str]:
        """What a bridge of this machine does otherwise than it was asked to, a line for each.

        Args:
            bridge: what it said of itself.
        """
        if self._bridge is None:
            return []
        lines = []
        if self.record is not None and bridge.recording != self.record:
            does = f"records to {bridge.recording}" if bridge.recording else "records nothing"
            lines.append(f"not recorded to {self.record}: it {does}")
        keeper = self._place.keeper()
        if keeper is not None and keeper.pid == bridge.pid:
            lines += self._unused(keeper)
        return lines

    def _unused(self, keeper: Keeper) -> Iterator[str]:
        """What was asked for and the running bridge does not do, a line for each."""
        kept = keeper.config_path
        if self._config_path != CONFIG_PATH and kept not in (None, self._config_path):
            yield f"config_path={self._config_path} is not used: it keeps {kept}"
        for name, value in self._gates.items():
            if keeper.gates.get(name, value) != value:
                yield f"gates: {name}={value} is not used: it has {keeper.gates[name]}"

    def _running(self) -> int | None:
        """The process of the bridge of this machine that has signed the lock, if it lives."""
        keeper = None if self._bridge is None else self._place.keeper()
        if keeper is None:
            return None
        with suppress(PermissionError):
            try:
                os.kill(keeper.pid, 0)
            except ProcessLookupError:
                return None
        return keeper.pid

    def absence(self, client: Client, timeout: float) -> str:
        """Why there was no verdict, one line for people.

        Args:
            client: the connection over which it was awaited.
            timeout: seconds for which it was.
        """
        trouble = client.trouble
        pid = self._running() if client.bridge is None else client.bridge.pid
        if pid is not None:
            where = self.endpoint if self._bridge is None else f"{self._place.dsp_path}"
            if self._bridge is not None and _is_stopped(pid):
                return (
                    f"the bridge for {where} (pid {pid}) is stopped: let it go on with "
                    f"`kill -CONT {pid}`"
                )
            return f"the bridge for {where} (pid {pid}) does not answer within {timeout:g} s"
        if self._bridge is not None:
            why = f" ({trouble})" if trouble else ""
            return f"there is no bridge for {self._place.dsp_path} yet{why}"
        why = trouble or "it accepts connections, but says nothing"
        return f"no bridge answers at {self.endpoint}: {why}"


def _is_stopped(pid: int) -> bool:
    """Whether SIGSTOP or a debugger holds a process."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        # A system without /proc.
        command = ["ps", "-o", "state=", "-p", str(pid)]
        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(command, capture_output=True, text=True, timeout=1.0, check=False)  # noqa: S603
            return told.stdout.startswith("T")
        return False
    return state in ("T", "t")
