"""A model's structure in words: what it is made of, how wide, how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faustwire.graph import (
    FIR,
    SOS,
    Delay,
    Node,
    Parallel,
    Recursion,
    Series,
    channels,
    whole_samples,
)


def outline(node: Node) -> dict[str, Any]:
    """A node and what is in it, as ``json.dumps`` takes it; ``detail`` says what is its own."""
    n_in, n_out = channels(node)
    found: dict[str, Any] = {"type": node.type, "name": node.name, "in": n_in, "out": n_out}
    match node:
        case Series() | Parallel():
            found["nodes"] = [outline(child) for child in node.nodes]
            if isinstance(node, Parallel):
                found["join"] = node.join
        case Recursion():
            found |= {"forward": outline(node.forward), "feedback": outline(node.feedback)}
        case Delay():
            used = node.samples[node.samples > 0]
            found["delays"] = int(used.size)
            found["samples"] = [float(used.min()), float(used.max())] if used.size else [0.0, 0.0]
            found["fractional"] = bool(whole_samples(used)[1].any())
        case FIR():
            found["taps"] = len(node.taps)
        case SOS():
            found["sections"] = len(node.sections)
    return found


def in_lines(found: dict[str, Any], depth: int = 0, role: str = "") -> Iterator[str]:
    """An outline as lines for people, indented.

    Args:
        found: what ``outline`` returned.
        depth: level of the first line's indentation, two spaces each.
        role: what stands before the name in the first line, for instance ``"feedback: "``.

    Yields:
        A line for the node, then one for each node in it.
    """
    name = found["name"] or found["type"]
    kind = "" if name == found["type"] else f" ({found['type']})"
    join = f", {found['join']}" if "join" in found else ""
    width = f"{found['in']} → {found['out']}"
    yield f"{'  ' * depth}{role}{name}{kind}: {width}{join}{_own(found)}"
    for child in found.get("nodes", ()):
        yield from in_lines(child, depth + 1)
    for part in ("forward", "feedback"):
        if part in found:
            yield from in_lines(found[part], depth + 1, f"{part}: ")


def _own(found: dict[str, Any]) -> str:
    if "samples" in found:
        low, high = found["samples"]
        span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        kind = "fractional delays" if found["fractional"] else "delays"
        return f", {found['delays']} {kind} of {span} samples"
    for key in ("taps", "sections"):
        if key in found:
            return f", {found[key]} {key}"
    return ""
