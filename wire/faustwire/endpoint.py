"""Endpoints of a bridge, ``tcp://HOST:PORT`` or ``ipc:///PATH``: parsed and checked here only."""

from __future__ import annotations

import re
from typing import NamedTuple

from faustwire.errors import FaustwireError
from faustwire.utf8 import is_utf8

# libzmq takes a port modulo 65536 without a word.
MAX_PORT = 65535
_TCP = re.compile(r"tcp://(?P<host>\[\S+\]|[^\s\[\]]+):(?P<port>[0-9]{1,5})")
_IPC = re.compile(r"ipc://(?P<path>.*\S.*)")


class EndpointError(FaustwireError, ValueError):
    """Text that is not an endpoint of a bridge; says what one looks like."""


def is_local(host: str) -> bool:
    """Whether only this machine can reach what listens there.

    Args:
        host: a name, or an address without brackets; empty: of a Unix socket.
    """
    return host in ("", "localhost", "::1") or host.startswith("127.")


class Endpoint(NamedTuple):
    """An endpoint taken apart.

    Attributes:
        transport: "tcp" or "ipc".
        host: name or address, IPv6 without its brackets; empty with ipc.
        port: 1 to ``MAX_PORT``, or 0 where a free one is to be taken; 0 with ipc.
        path: of the Unix socket; empty with tcp.
    """

    transport: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_local(self.host)


def parse(endpoint: str) -> Endpoint:
    """Take an endpoint apart.

    Args:
        endpoint: one to listen at or to connect to.

    Raises:
        EndpointError: it is not an endpoint, or its port is out of range.
    """
    if not is_utf8(endpoint):
        raise EndpointError(f"{endpoint!r} is not an endpoint: libzmq takes only names in UTF-8")
    if found := _IPC.fullmatch(endpoint):
        if found["path"].startswith("@"):
            raise EndpointError(
                f"{endpoint!r}: without a file anybody on this machine may listen there first: "
                "write a path, such as ipc:///run/user/1000/faustwire.socket"
            )
        return Endpoint("ipc", path=found["path"])
    found = _TCP.fullmatch(endpoint)
    if found is None:
        raise EndpointError(
            f"{endpoint!r} is not an endpoint: write one such as tcp://studio:5555 or ipc:///a/path"
        )
    port = int(found["port"])
    if port > MAX_PORT:
        raise EndpointError(f"{endpoint!r}: a port is at most {MAX_PORT}")
    return Endpoint("tcp", found["host"].strip("[]"), port)


def to_connect(endpoint: str) -> str:
    """Check an endpoint that somebody wants to connect to.

    Args:
        endpoint: as a person wrote it.

    Returns:
        The endpoint itself.

    Raises:
        EndpointError: it is not an endpoint, or one that can only be listened at.
    """
    found = parse(endpoint)
    if found.transport == "tcp" and (found.port == 0 or found.host == "*"):
        raise EndpointError(
            f"{endpoint!r} can be listened at but not connected to: name the host and its port, "
            "as in tcp://studio:5555"
        )
    return endpoint


def normal(endpoint: str) -> str:
    """An endpoint in the spelling by which it is compared.

    Host names are the same in upper and lower case, paths are not.
    """
    return endpoint if is_unix(endpoint) else endpoint.lower()


def is_unix(endpoint: str) -> bool:
    """Whether it is the endpoint of a Unix socket, which only this machine can reach."""
    return endpoint.startswith("ipc://")


def of_socket(path: object) -> str:
    """The endpoint of the Unix socket at a path."""
    return f"ipc://{path}"
