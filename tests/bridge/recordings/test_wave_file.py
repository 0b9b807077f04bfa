"""WAV files of our own reading and writing."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from faustwire_bridge.recordings.wave_file import WaveError, read_wave, write_wave

SAMPLES = np.array([[0.0, 0.5, -1.0], [0.25, -0.25, 0.75]])


def test_floats_come_back_as_they_went_above_full_scale_too(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wave(path, 3 * SAMPLES, 44100)
    samples, fs = read_wave(path)
    assert fs == 44100
    np.testing.assert_array_equal(samples, 3 * SAMPLES)


@pytest.mark.parametrize("width", [2, 3, 4])
def test_integers_of_every_width_have_full_scale_at_one(tmp_path: Path, width: int) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, width, 48000, 0, "NONE", ""))
        for frame in SAMPLES.T:
            for value in frame:
                whole = int(value * 2 ** (8 * width - 1))
                file.writeframesraw(whole.to_bytes(width, "little", signed=True))
    samples, fs = read_wave(path)
    assert fs == 48000
    np.testing.assert_array_equal(samples, SAMPLES)


def test_a_file_that_was_cut_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wave(path, SAMPLES, 48000)
    path.write_bytes(path.read_bytes()[:-5])
    np.testing.assert_array_equal(read_wave(path)[0], SAMPLES[:, :2])


def test_what_is_no_wave_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    broken = {
        b"": "no WAV",
        b"RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff": "no WAV",
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"
        + struct.pack("<HHIIHH", 1, 2, 48000, 0, 0, 8)
        + b"data\0\0\0\0": "2 channels of 8 bits in format 1",
    }
    for content, problem in broken.items():
        path.write_bytes(content)
        with pytest.raises(WaveError, match=problem):
            read_wave(path)
