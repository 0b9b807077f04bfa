"""Sounds that people have: other kinds of files, other sampling rates."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from faustwire_bridge.recordings.sound_file import SoundError, read_sound, write_sound
from faustwire_bridge.recordings.wave_file import write_wave

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

FS = 48000
TONE = np.stack([np.sin(2 * np.pi * f * np.arange(FS) / FS) / 2 for f in (440.0, 1000.0)])


def test_a_flac_is_read_and_written(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.flac", TONE, FS)
    assert soundfile.info(tmp_path / "a.flac").subtype == "PCM_24"
    np.testing.assert_allclose(read_sound(tmp_path / "a.flac", FS), TONE, atol=2**-23)
    with pytest.raises(SoundError, match=r"reaches 1\.5 times full scale.*write a \.wav"):
        write_sound(tmp_path / "a.flac", 3 * TONE, FS)


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_a_sound_of_another_rate_is_resampled(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    write_sound(path, TONE, FS)
    found = read_sound(path, 44100)
    assert found.shape == (2, 44100)
    expected = np.stack([np.sin(2 * np.pi * f * np.arange(44100) / 44100) / 2 for f in (440, 1000)])
    middle = slice(2000, -2000)
    np.testing.assert_allclose(found[:, middle], expected[:, middle], atol=1e-5)


def test_what_cannot_be_read_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ogg").write_bytes(b"nothing")
    with pytest.raises(SoundError, match=r"a\.ogg can't be read as sound"):
        read_sound(tmp_path / "a.ogg", FS)
    with pytest.raises(FileNotFoundError):
        read_sound(tmp_path / "none.flac", FS)
    write_wave(tmp_path / "empty.wav", np.zeros((1, 0)), FS)
    with pytest.raises(SoundError, match="is empty"):
        read_sound(tmp_path / "empty.wav", FS)
    write_wave(tmp_path / "a.wav", TONE, FS)
    for name in ("soxr", "soundfile"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SoundError, match=r"48000 Hz and the model 44100 Hz.*faustwire\[audio\]"):
        read_sound(tmp_path / "a.wav", 44100)
    with pytest.raises(SoundError, match=r"other files than \.wav.*faustwire\[audio\]"):
        read_sound(tmp_path / "a.ogg", FS)
    with pytest.raises(SoundError, match=r"write FLAC.*faustwire\[audio\]"):
        write_sound(tmp_path / "b.flac", TONE, FS)
