"""Arrays as msgpack carries them: a map of a shape and the bytes.

Only who packs or unpacks a graph imports this module and numpy: the bridge does neither, and is
there a tenth of a second sooner.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import numpy as np

from faustwire.errors import MessageError


def pack(value: object) -> dict[str, Any]:
    """Turn an array into a map that msgpack can pack.

    Args:
        value: an array; its numbers are sent in single precision where that loses nothing.

    Returns:
        ``shape``, and the bytes under ``f4`` or ``f8``.

    Raises:
        TypeError: it is not an array.
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} can't cross the wire")
    # Most models are float32; half the bytes, if nothing is lost.
    with np.errstate(over="ignore"):
        single = value.astype("<f4")
    if (single == value).all():
        return {"shape": value.shape, "f4": single.tobytes()}
    return {"shape": value.shape, "f8": value.astype("<f8", copy=False).tobytes()}


def unpack(packed: dict[str, Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """Turn such a map back into an array.

    Args:
        packed: with ``shape``, from anybody.

    Returns:
        The array; it can't be written to.

    Raises:
        MessageError: its bytes are not an array of that shape.
    """
    shape = packed["shape"]
    kind = next((key for key in ("f4", "f8") if key in packed), None)
    if kind is None or not isinstance(packed[kind], bytes):
        raise MessageError("an array holds its bytes under f4 or f8")
    if not _is_shape(shape):
        raise MessageError("an array's shape is a list of sizes")
    if len(shape) > 4 or math.prod(shape) * int(kind[1]) != len(packed[kind]):
        raise MessageError(f"an array of shape {shape[:4]} and {len(packed[kind])} bytes of {kind}")
    return np.frombuffer(packed[kind], dtype=f"<{kind}").reshape(shape)


def _is_shape(shape: object) -> TypeGuard[list[int]]:
    return isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
