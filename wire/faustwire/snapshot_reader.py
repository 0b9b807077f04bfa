"""Reads snapshots one after the other: in a training each differs from the last in numbers alone.

Where the bytes of its graph are those of an earlier one but for the numbers of its arrays, it has
the same nodes, names and shapes, and only the numbers are read and checked. Leaves whose numbers
are the same, too, are the same objects as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgpack
import numpy as np

from faustwire import codec
from faustwire.controls import Slider
from faustwire.errors import MessageError
from faustwire.field_checks import checked_fields
from faustwire.graph import Leaf, Node, Parallel, Recursion, Series, with_leaves
from faustwire.limits import MAX_BYTES, MAX_ELEMENTS
from faustwire.messages import Snapshot
from faustwire.validation import check_values

# Forms that are known: of a few models that are trained side by side.
_KEPT = 4
# Of a message whose form is remembered.
_MAX_BYTES = 2**15


@dataclass(frozen=True)
class _Rest:
    """A Snapshot without its graph."""

    seq: int
    call: int
    fs: float
    name: str = "FDN"
    force: bool = False
    controls: Mapping[str, Slider] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


class _Numbers(NamedTuple):
    """Where the numbers of an array stand, in bytes from the beginning of the graph."""

    field: str
    start: int
    end: int
    kind: str
    shape: tuple[int, ...]


class _Form:
    """All that graphs have in common that differ in numbers alone, and the last one of them."""

    def __init__(self, packed: bytes, graph: Node, places: list[tuple[Leaf, list[_Numbers]]]):
        """Remember the form of a graph.

        Args:
            packed: the graph's bytes.
            graph: the graph.
            places: where the numbers of its leaves stand, in the order of the bytes.
        """
        self._graph, self._size = graph, len(packed)
        self._leaves = [leaf for leaf, _ in places]
        self._places = [numbers for _, numbers in places]
        self._packed = [_own_bytes(packed, 0, numbers) for numbers in self._places]
        ends = [0, *(one.end for numbers in self._places for one in numbers)]
        starts = [*(one.start for numbers in self._places for one in numbers), len(packed)]
        self._between = [(at, packed[at:to]) for at, to in zip(ends, starts, strict=True)]

    def read(self, data: bytes) -> Snapshot | None:
        """Read a snapshot of this form; None: it has another one, or something is wrong with it."""
        try:
            rest = self._rest(data)
            if rest is None:
                return None
            start, fields = rest
            codec.check_version(fields)
            known = checked_fields(_Rest, fields, "snapshot")
            graph = self._with_numbers(data, start)
        except Exception:  # noqa: BLE001 - `codec.decode` says what it is
            return None
        return Snapshot(graph=graph, **known)

    def _rest(self, data: bytes) -> tuple[int, dict[str, Any]] | None:
        """Where the graph begins, and the other fields; None: it is of another form."""
        unpacker = msgpack.Unpacker(
            read_size=len(data),
            max_buffer_size=MAX_BYTES,
            max_array_len=MAX_ELEMENTS,
            max_map_len=MAX_ELEMENTS,
        )
        unpacker.feed(data)
        fields: dict[str, Any] = {}
        start = None
        for _ in range(unpacker.read_map_header()):
            key = unpacker.unpack()
            if key != "graph":
                fields[key] = unpacker.unpack()
                continue
            if start is not None:
                return None
            start = unpacker.tell()
            if not all(data.startswith(text, start + at) for at, text in self._between):
                return None
            unpacker.read_bytes(self._size)
        whole = unpacker.tell() == len(data) and fields.get("type") == "snapshot"
        return None if start is None or not whole else (start, fields)

    # A signalling NaN of a stranger's would warn; it is found when the values are checked.
    @np.errstate(invalid="ignore")
    def _with_numbers(self, data: bytes, start: int) -> Node:
        packed = [_own_bytes(data, start, numbers) for numbers in self._places]
        fresh = {
            index: _leaf(self._leaves[index], self._places[index], one)
            for index, one in enumerate(packed)
            if one != self._packed[index]
        }
        leaves = [fresh.get(index, leaf) for index, leaf in enumerate(self._leaves)]
        replaced = {id(self._leaves[index]): leaf for index, leaf in fresh.items()}
        graph = with_leaves(self._graph, replaced)
        check_values(graph, fresh.values())
        self._graph, self._leaves, self._packed = graph, leaves, packed
        return graph


class SnapshotReader:
    """Decodes snapshots, and remembers the forms of their graphs."""

    def __init__(self) -> None:
        self._forms: list[_Form] = []

    def read(self, data: bytes) -> Snapshot:
        """Decode a snapshot as ``codec.decode`` does.

        Args:
            data: the bytes of a message.

        Returns:
            The snapshot.

        Raises:
            MessageError: it is not a snapshot of this version, or exceeds a limit.
        """
        if len(data) > _MAX_BYTES:
            return _decoded(data)
        for place, form in enumerate(self._forms):
            known = form.read(data)
            if known is not None:
                self._forms.insert(0, self._forms.pop(place))
                return known
        snapshot = _decoded(data)
        new = _form(data, snapshot.graph)
        if new is not None:
            self._forms = [new, *self._forms[: _KEPT - 1]]
        return snapshot


def _decoded(data: bytes) -> Snapshot:
    snapshot = codec.decode(data)
    if not isinstance(snapshot, Snapshot):
        raise MessageError(f"a snapshot is wanted, not a {type(snapshot).__name__}")
    return snapshot


def _own_bytes(data: bytes, start: int, numbers: list[_Numbers]) -> list[bytes]:
    return [data[start + one.start : start + one.end] for one in numbers]


def _leaf(before: Leaf, numbers: list[_Numbers], packed: list[bytes]) -> Leaf:
    arrays = {
        one.field: np.frombuffer(values, one.kind).reshape(one.shape)
        for one, values in zip(numbers, packed, strict=True)
    }
    return type(before)(name=before.name, **arrays)


def _form(data: bytes, graph: Node) -> _Form | None:
    """The form of a snapshot that was decoded; None: it is packed in an unusual way."""
    unpacker = msgpack.Unpacker(read_size=len(data), max_buffer_size=MAX_BYTES)
    unpacker.feed(data)
    places: list[tuple[Leaf, list[_Numbers]]] = []
    try:
        for _ in range(unpacker.read_map_header()):
            if unpacker.unpack() != "graph":
                unpacker.skip()
                continue
            start = unpacker.tell()
            _walk(unpacker, graph, start, places)
            return _Form(data[start : unpacker.tell()], graph, places)
    except (KeyError, ValueError, TypeError, msgpack.UnpackException):
        pass
    return None


def _walk(
    unpacker: msgpack.Unpacker, node: Node, start: int, places: list[tuple[Leaf, list[_Numbers]]]
) -> None:
    """Find the numbers of a node that comes next.

    Raises:
        ValueError: the node is packed in an unusual way.
    """
    keys = set()
    numbers: list[_Numbers] = []
    count = unpacker.read_map_header()
    for _ in range(count):
        key = unpacker.unpack()
        keys.add(key)
        if key in ("type", "name", "join"):
            unpacker.skip()
        elif isinstance(node, Recursion):
            _walk(
                unpacker, {"forward": node.forward, "feedback": node.feedback}[key], start, places
            )
        elif isinstance(node, (Series, Parallel)):
            for child, _ in zip(node.nodes, range(unpacker.read_array_header()), strict=True):
                _walk(unpacker, child, start, places)
        else:
            numbers.append(_numbers(unpacker, key, start))
    if len(keys) != count:
        raise ValueError(keys)
    if not isinstance(node, (Series, Parallel, Recursion)):
        places.append((node, numbers))


def _numbers(unpacker: msgpack.Unpacker, key: str, start: int) -> _Numbers:
    """The array that comes next.

    Raises:
        ValueError: it is packed in an unusual way.
    """
    if unpacker.read_map_header() != 2 or unpacker.unpack() != "shape":
        raise ValueError(key)
    shape, kind, values = unpacker.unpack(), unpacker.unpack(), unpacker.unpack()
    if kind not in ("f4", "f8"):
        raise ValueError(kind)
    end = unpacker.tell() - start
    return _Numbers(key, end - len(values), end, f"<{kind}", tuple(shape))
