"""Sounds of people's own, in and out: WAV with nothing else, FLAC and other rates with an extra."""

from __future__ import annotations

import io
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faustwire.atomic_file import ReplacedFile
from faustwire.errors import FaustwireError
from faustwire_bridge.recordings.wave_file import MAX_BYTES, read_wave, write_wave

SOUNDS = (".wav", ".flac")


class SoundError(FaustwireError, ValueError):
    """A sound that can't be read, resampled or written; says what to do."""


def read_sound(path: Path, fs: float) -> NDArray[np.float64]:
    """Read a sound at a sampling rate.

    Args:
        path: a WAV file, or, with the extra ``audio``, whatever libsndfile reads (FLAC, OGG, …).
        fs: sampling rate in Hz to resample to; a file of another one needs the extra, too.

    Returns:
        [channels, samples], full scale at 1.

    Raises:
        SoundError: the file is empty or too long, of a kind that can't be read, or what reads or
            resamples it is not installed.
        WaveError: it is a damaged WAV file.
        OSError: it can't be read.
    """
    samples, rate = read_wave(path) if path.suffix.lower() == ".wav" else _read_other(path)
    if not samples.shape[1]:
        raise SoundError(f"{path} is empty")
    if rate == round(fs):
        return samples
    needed = f"{path} has a sampling rate of {rate} Hz and the model {fs:g} Hz: to resample it"
    soxr = _extra("soxr", needed)
    return np.ascontiguousarray(soxr.resample(samples.T, rate, fs, quality="VHQ").T)


def _read_other(path: Path) -> tuple[NDArray[np.float64], int]:
    soundfile = _extra("soundfile", f"{path}: to read other files than .wav")
    path.stat()  # An OSError says more than libsndfile's of a file that is not there.
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames * file.channels * 8 > MAX_BYTES:
                raise SoundError(f"{path} is longer than {MAX_BYTES} bytes in floats; cut it")
            samples: NDArray[np.float64] = file.read(dtype="float64", always_2d=True)
            return np.ascontiguousarray(samples.T), int(file.samplerate)
    except soundfile.LibsndfileError as problem:
        raise SoundError(f"{path} can't be read as sound: {problem.error_string}") from problem


def write_sound(path: Path, samples: NDArray[np.float64], fs: float) -> None:
    """Write a sound in one step.

    Args:
        path: ``.wav``: 32-bit floats. ``.flac``, with the extra ``audio``: 24-bit integers.
        samples: [channels, samples], full scale at 1.
        fs: sampling rate in Hz, rounded.

    Raises:
        SoundError: a FLAC with samples above full scale or more than eight channels, or what writes
            it is not installed.
        WaveError: longer than a WAV file can be.
        OSError: it can't be written.
    """
    if path.suffix.lower() != ".flac":
        write_wave(path, samples, fs)
        return
    soundfile = _extra("soundfile", f"{path}: to write FLAC")
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 1.0:
        raise SoundError(
            f"{path}: the sound reaches {peak:.3g} times full scale, which FLAC can't hold: write "
            "a .wav, which has floats"
        )
    encoded = io.BytesIO()
    try:
        soundfile.write(encoded, samples.T, round(fs), format="FLAC", subtype="PCM_24")
    except soundfile.LibsndfileError as problem:
        raise SoundError(f"{path}: {problem.error_string}; write a .wav") from problem
    ReplacedFile(path, str(os.getpid())).write(encoded.getvalue())


def _extra(name: str, needed: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise SoundError(f"{needed}, pip install 'faustwire[audio]' ({error})") from error
