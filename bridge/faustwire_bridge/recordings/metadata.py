"""What a recording's metadata say, read with distrust: a file may come from a stranger."""

from __future__ import annotations

from collections.abc import Mapping

from faustwire.recording import Item
from faustwire_bridge.core.events import User
from faustwire_bridge.core.rules import Rules


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
