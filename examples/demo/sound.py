"""Impulse responses of published programs, through libfaust, and their energy decay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal  # type: ignore[import-untyped]

from demo.rooms import FS
from faustwire_bridge.children.libfaust import compile_program

Response = NDArray[np.float64]
_PEAK = 10 ** (-3 / 20)


def impulse_response(text: str, seconds: float = 3.0) -> Response:
    """What the plugin would play for an impulse at all of its inputs: [2, samples]."""
    program = compile_program(text)
    impulse = np.zeros((program.n_in, round(seconds * FS)))
    impulse[:, 0] = 1.0
    return program.render(impulse, FS)


def save(responses: dict[str, Response], folder: Path) -> list[Path]:
    """Write WAVs of 24 bits, all with the gain that brings the loudest of them to −3 dBFS."""
    gain = _PEAK / max(np.abs(response).max() for response in responses.values())
    paths = []
    for name, response in responses.items():
        paths.append(folder / f"{name}.wav")
        soundfile.write(paths[-1], gain * response.T, FS, subtype="PCM_24")
    return paths


def octave(response: Response, hz: float) -> Response:
    """The response in the octave band around a frequency."""
    edges = (hz / 2**0.5, hz * 2**0.5)
    sections = signal.butter(4, edges, "bandpass", fs=FS, output="sos")
    filtered: Response = signal.sosfilt(sections, response)
    return filtered


def energy_decay_db(response: Response) -> Response:
    """Schroeder's backward integral over both channels, 0 dB at the start: [samples]."""
    energy = np.square(response).sum(axis=0)
    remaining = energy[::-1].cumsum()[::-1]
    decay_db: Response = 10 * np.log10(np.maximum(remaining / remaining[0], 1e-12))
    return decay_db


def spectrogram_db(response: Response) -> tuple[Response, Response, Response]:
    """(frequencies in Hz, times in seconds, power in dB below the loudest)."""
    hz, seconds, power = signal.spectrogram(
        response.mean(axis=0), FS, nperseg=2048, noverlap=1792, mode="psd"
    )
    return hz, seconds, 10 * np.log10(power / power.max() + 1e-12)
