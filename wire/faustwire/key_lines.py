"""The lines in files of keys: what a key, a name and a right look like."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass

from zmq.utils import z85

from faustwire.endpoint import EndpointError, normal, to_connect
from faustwire.errors import FaustwireError

# What a key may be enrolled for: to send snapshots, to see what happens, to choose who is heard, to
# send Faust text of its own.
RIGHTS = ("publish", "watch", "steer", "text")

KEY_BYTES = 32
# Part of "<name>/<worker>", and of a line whose fields are separated by spaces.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class KeyFileError(FaustwireError, ValueError):
    """A key, or a file of keys, that can't be used; says what to do."""


@dataclass(frozen=True)
class Enrolled:
    """One line of ``enrolled``.

    Attributes:
        public: the key, 32 bytes.
        name: whose it is.
        rights: some of ``RIGHTS``.
    """

    public: bytes
    name: str
    rights: frozenset[str]

    def __str__(self) -> str:
        rights = ",".join(right for right in RIGHTS if right in self.rights)
        return f"{self.public.hex()} {rights} {self.name}"


def own_name() -> str:
    """This machine's host name, as one that a key can be enrolled under."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).lstrip("._-")[:64] or "worker"


def public_key(text: str) -> bytes:
    """A public key as people paste it: hex, or the Z85 of other ZeroMQ tools.

    Raises:
        KeyFileError: it is neither.
    """
    key = key_from_hex(text.strip()) or _from_z85(text.strip())
    if key is None:
        raise KeyFileError(
            f"{text[:80]!r} is not a public key, which is {2 * KEY_BYTES} hex digits: copy the "
            "line that `faustwire keys` prints on the other machine"
        )
    return key


def key_from_hex(text: str) -> bytes | None:
    """A key of 32 bytes from its 64 hex digits; None: it is something else."""
    if not re.fullmatch(f"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}", text):
        return None
    return bytes.fromhex(text)


def _from_z85(text: str) -> bytes | None:
    with suppress(ValueError, KeyError, TypeError):
        key: bytes = z85.decode(text.encode("ascii"))
        if len(key) == KEY_BYTES and z85.encode(key) == text.encode():
            return key
    return None


def read_enrolled(line: str, where: str) -> Enrolled:
    """Read a line of ``enrolled``.

    Args:
        line: ``PUBLIC RIGHTS NAME``.
        where: names the line in an error.

    Raises:
        KeyFileError: the line is malformed.
    """
    fields = line.split()
    if len(fields) != 3:
        raise KeyFileError(f"{where} is not `PUBLIC RIGHTS NAME`: correct or remove it")
    public, rights, name = key_from_hex(fields[0]), fields[1].split(","), fields[2]
    if public is None:
        raise KeyFileError(f"{where}: {fields[0][:80]!r} is not a public key: correct or remove it")
    unknown = [right for right in rights if right not in RIGHTS]
    if unknown:
        raise KeyFileError(
            f"{where}: {unknown[0]!r} is not a right; the rights are {', '.join(RIGHTS)}"
        )
    check_name(name, where)
    return Enrolled(public, name, frozenset(rights))


def check_name(name: str, where: str) -> None:
    """Check a name that a key is enrolled under: one word that can stand before a ``/``.

    Args:
        name: as a person wrote it.
        where: names its place in an error.

    Raises:
        KeyFileError: it can't be a name.
    """
    if not _NAME.fullmatch(name):
        raise KeyFileError(
            f"{where}: {name[:80]!r} can't be a name: take at most 64 letters, digits and ._@+-"
        )


def read_bridge(line: str, where: str) -> tuple[str, bytes]:
    """Read a line of ``bridges``.

    Args:
        line: ``ENDPOINT PUBLIC``.
        where: names the line in an error.

    Returns:
        The endpoint in its normal spelling, and the bridge's public key, 32 bytes.

    Raises:
        KeyFileError: the line is malformed.
    """
    fields = line.split()
    public = key_from_hex(fields[1]) if len(fields) == 2 else None
    try:
        place = to_connect(fields[0])
    except EndpointError:
        public = None
    if public is None:
        raise KeyFileError(f"{where} is not `ENDPOINT PUBLIC`: correct or remove it")
    return normal(place), public


def first_field(line: str) -> str:
    """The first field of a line; empty for a comment."""
    return "" if line.lstrip().startswith("#") else next(iter(line.split()), "")


def last_field(line: str) -> str:
    """The last field of a line; empty for a comment."""
    return line.rsplit(maxsplit=1)[-1] if first_field(line) else ""
