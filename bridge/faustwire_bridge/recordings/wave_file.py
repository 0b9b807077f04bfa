"""WAV files: PCM of 16, 24 and 32 bits and floats are read, 32-bit floats are written.

Our own, because the audio machine has no library for it and Python's ``wave`` knows no floats.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faustwire.atomic_file import ReplacedFile
from faustwire.errors import FaustwireError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
# An hour of stereo at 48 kHz in floats has 1.4 GB; nobody sends that through a reverberator here.
MAX_BYTES = 2**31 - 1
_MAX_CHANNELS = 256


class WaveError(FaustwireError, ValueError):
    """A file that is not a WAV, or of a kind that is not read."""


def read_wave(path: Path) -> tuple[NDArray[np.float64], int]:
    """Read a WAV file.

    Args:
        path: of 16, 24 or 32-bit PCM, or 32 or 64-bit floats; one that was cut is read up to there.

    Returns:
        (samples, fs): [channels, samples] with full scale at 1, and the sampling rate in Hz.

    Raises:
        WaveError: it is none of these.
        OSError: it can't be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise WaveError(f"{path} is longer than {MAX_BYTES} bytes; cut it")
    chunks = dict(_chunks(path.read_bytes()))
    head = chunks.get(b"fmt ", b"")
    if len(head) < 16 or b"data" not in chunks:
        raise WaveError(f"{path} is no WAV file")
    kind, channels, fs, _, _, bits = struct.unpack_from("<HHIIHH", head)
    if kind == _EXTENSIBLE and len(head) >= 26:
        (kind,) = struct.unpack_from("<H", head, 24)
    convert = _CONVERSIONS.get((kind, bits))
    if convert is None or not 0 < channels <= _MAX_CHANNELS or not 0 < fs < 10_000_000:
        raise WaveError(
            f"{path} holds {channels} channels of {bits} bits in format {kind}; PCM of 16, 24 or "
            "32 bits and floats are read"
        )
    data = chunks[b"data"]
    frame = channels * bits // 8
    samples = convert(data[: len(data) // frame * frame])
    return np.ascontiguousarray(samples.reshape(-1, channels).T), fs


def write_wave(path: Path, samples: NDArray[np.float64], fs: float) -> None:
    """Write a WAV file of 32-bit floats, in one step.

    Args:
        path: where to.
        samples: [channels, samples], full scale at 1; what is above it is kept.
        fs: sampling rate in Hz, rounded.

    Raises:
        WaveError: longer than a WAV file can be.
        OSError: it can't be written.
    """
    channels, count = samples.shape
    data = np.ascontiguousarray(samples.T, dtype="<f4").tobytes()
    if len(data) > MAX_BYTES:
        raise WaveError(f"{path} would have {len(data)} bytes, a WAV at most {MAX_BYTES}")
    rate = round(fs)
    form = struct.pack("<HHIIHHH", _FLOAT, channels, rate, rate * channels * 4, channels * 4, 32, 0)
    parts = {b"fmt ": form, b"fact": struct.pack("<I", count), b"data": data}
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(part)) + part for name, part in parts.items()
    )
    ReplacedFile(path, str(os.getpid())).write(b"RIFF" + struct.pack("<I", len(body)) + body)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk; lengths beyond the file end with it."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _integers(kind: str) -> Callable[[bytes], NDArray[Any]]:
    full_scale = -float(np.iinfo(kind).min)
    return lambda data: np.frombuffer(data, kind) / full_scale


def _three_bytes(data: bytes) -> NDArray[Any]:
    # Into the upper three bytes of an int32.
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4").ravel() / 2.0**31


def _floats(kind: str) -> Callable[[bytes], NDArray[Any]]:
    return lambda data: np.frombuffer(data, kind).astype(np.float64)


_CONVERSIONS: dict[tuple[int, int], Callable[[bytes], NDArray[Any]]] = {
    (_PCM, 16): _integers("<i2"),
    (_PCM, 24): _three_bytes,
    (_PCM, 32): _integers("<i4"),
    (_FLOAT, 32): _floats("<f4"),
    (_FLOAT, 64): _floats("<f8"),
}
