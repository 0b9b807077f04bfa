"""What a recording's metadata say: written by its bridge, read with distrust of any file."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from faustwire import codec
from faustwire.recording import Item
from faustwire_bridge.core.events import User
from faustwire_bridge.core.rules import Rules


def of_bridge(dsp_path: str, offset_ns: int, *, published_only: bool) -> dict[str, str]:
    """What this bridge says of itself and of how it records.

    Args:
        dsp_path: what it keeps.
        offset_ns: from the monotonic clock to Unix time.
        published_only: whether the snapshots that are not published are left out.
    """
    return {
        "faustwire": version("faustwire"),
        "wire": str(codec.VERSION),
        "libfaust": _libfaust(),
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "dsp_path": dsp_path,
        "monotonic_offset_ns": str(offset_ns),
        "kept": "published" if published_only else "all",
    }


def _libfaust() -> str:
    try:
        return f"cyfaust {version('cyfaust')}"
    except PackageNotFoundError:
        return ""


def rules(metadata: Mapping[str, str]) -> Rules | None:
    """The rules by which the recorded bridge decided; None: they are missing or damaged."""
    try:
        return Rules.from_text(metadata.get("rules", ""))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def clock_offset_ns(metadata: Mapping[str, str]) -> int:
    """Nanoseconds from the recorded bridge's monotonic clock to Unix time; 0 if not known."""
    text = metadata.get("monotonic_offset_ns", "")
    return int(text) if text and len(text) < 20 and text.lstrip("-").isdecimal() else 0


def peer(item: Item) -> bytes:
    """The connection on which a message came or went; empty if not known."""
    try:
        return bytes.fromhex(item.metadata.get("peer", ""))
    except ValueError:
        return b""


def user(item: Item) -> User | None:
    """Whose key a message came with; None: it came without keys."""
    name = item.metadata.get("user")
    if name is None:
        return None
    return User(name, frozenset(item.metadata.get("rights", "").split()))
