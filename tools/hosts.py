"""Two hosts with addresses of their own, in network namespaces, and the cable between them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# What `ip netns exec` lays over the same names in /etc.
_NAMES = Path("/etc/netns")
_INTERFACE = "eth0"
_CABLE = Path(__file__).with_name("cable.py")


class NoNetworkError(Exception):
    """Network namespaces can't be created on this machine."""


@dataclass(frozen=True)
class Host:
    """A host; ``address`` is the one that it starts with (a network of documentation's)."""

    namespace: str
    address: str

    @property
    def within(self) -> list[str]:
        """Command prefix that runs a command on this host."""
        return ["ip", "netns", "exec", self.namespace]

    def plug(self, *, into: bool) -> None:
        """Plug the cable in or pull it out; the host's operating system notices at once."""
        self._ip("link", "set", _INTERFACE, "up" if into else "down")

    def move(self, address: str) -> None:
        """Change the host's address."""
        self._ip("address", "flush", "dev", _INTERFACE)
        self._ip("address", "add", f"{address}/24", "dev", _INTERFACE)

    def resolve(self, name: str, address: str) -> None:
        """Have this host resolve a name to an address from now on."""
        # Written in place: the file is mounted over /etc/hosts where something runs already.
        (_NAMES / self.namespace / "hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n")

    def ask(self, name_server: str) -> None:
        """Have this host ask a name server for all other names."""
        (_NAMES / self.namespace / "resolv.conf").write_text(f"nameserver {name_server}\n")

    def _ip(self, *arguments: str) -> None:
        subprocess.run(["ip", "-n", self.namespace, *arguments], check=True, capture_output=True)


class Cable:
    """The adjustable cable between the two hosts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def be(self, *, loss: float = 0.0, delay_seconds: float = 0.0) -> None:
        """Set the fraction of frames lost and the delay of the others, in each direction."""
        assert self._process.stdin is not None
        quality = {"loss": loss, "delay_seconds": delay_seconds}
        self._process.stdin.write(json.dumps(quality) + "\n")
        self._process.stdin.flush()


@dataclass(frozen=True)
class Network:
    """The audio machine, the machine that trains, and the cable."""

    studio: Host
    gpu_box: Host
    cable: Cable


@contextmanager
def two_hosts() -> Iterator[Network]:
    """Create a network of two hosts, which exists until the block ends.

    Raises:
        NoNetworkError: it can't be created here; states the reason.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise NoNetworkError("network namespaces take Linux, root and iproute2's ip")
    token = f"fw{os.getpid()}{secrets.token_hex(2)}"
    studio = Host(f"{token}-studio", "192.0.2.1")
    gpu_box = Host(f"{token}-gpu", "192.0.2.2")
    between = f"{token}-between"
    with ExitStack() as stack:
        for namespace in (studio.namespace, gpu_box.namespace, between):
            stack.enter_context(_namespace(namespace))
        for host, end in ((studio, "left"), (gpu_box, "right")):
            veth = ["link", "add", _INTERFACE, "netns", host.namespace, "type", "veth"]
            _ip(*veth, "peer", "name", end, "netns", between)
            _ip("-n", between, "link", "set", end, "up")
            _ip("-n", host.namespace, "link", "set", "lo", "up")
            _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", _INTERFACE)
            _ip("-n", host.namespace, "link", "set", _INTERFACE, "up")
            host.resolve("nobody", "192.0.2.99")
            host.ask("192.0.2.99")
        process = subprocess.Popen(
            ["ip", "netns", "exec", between, sys.executable, str(_CABLE), "left", "right"],
            stdin=subprocess.PIPE,
            text=True,
        )
        try:
            yield Network(studio, gpu_box, Cable(process))
        finally:
            process.communicate(timeout=10.0)


@contextmanager
def _namespace(name: str) -> Iterator[None]:
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False, text=True)
    if made.returncode:
        raise NoNetworkError(f"no network namespace can be made here: {made.stderr.strip()}")
    folder = _NAMES / name
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        _ip("netns", "delete", name)
        shutil.rmtree(folder)
        with suppress(OSError):
            _NAMES.rmdir()  # Others may have theirs there.


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
