"""`make demo`, shortened: every promised file is there and holds what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

for _needed in ("cyfaust", "flamo", "matplotlib", "rich", "watchdog"):
    pytest.importorskip(_needed)

import soundfile  # noqa: E402
from matplotlib import image  # noqa: E402

from faustwire_bridge.children.libfaust import compile_program  # noqa: E402

# Two processes that import torch, pictures, sounds: it takes as long as a tenth of the suite.
pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
ROOMS = ("hall", "chamber")


def run_demo(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", "--out", str(out), *options],
        env=os.environ | {"PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A run of five steps a worker, without a terminal: what it printed and what it left."""
    out = tmp_path_factory.mktemp("demo") / "out"
    result = run_demo(out, "--steps", "5", "--min-interval", "0.2")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout, out


def test_it_prints_both_tables(demo: tuple[str, Path]) -> None:
    """A row for each worker, and one for the plugin."""
    printed, _ = demo
    assert all(room in printed for room in ROOMS)
    assert "calls" in printed
    assert "reloads" in printed
    assert "delivered" in printed


def test_the_last_program_compiles_and_fits_the_plugin(demo: tuple[str, Path]) -> None:
    """Stereo out, and one of the two rooms by its header."""
    _, out = demo
    text = (out / "demo.dsp").read_text()
    assert compile_program(text).n_out == 2
    assert any(room in text for room in ROOMS)


def test_the_sounds_are_sounds(demo: tuple[str, Path]) -> None:
    """Finite, not silent, not clipped, and changed by the training."""
    _, out = demo
    peaks = []
    for room in ROOMS:
        before, _ = soundfile.read(out / f"{room}-before.wav")
        after, fs = soundfile.read(out / f"{room}-after.wav")
        assert fs == 48_000
        assert before.shape == after.shape
        assert before.shape[1] == 2
        assert np.isfinite(before).all()
        assert np.isfinite(after).all()
        assert np.abs(after - before).max() > 1e-3
        peaks += [np.abs(before).max(), np.abs(after).max()]
    assert min(peaks) > 1e-3
    assert max(peaks) == pytest.approx(10 ** (-3 / 20), abs=1e-3)


def test_its_last_line_plays_its_recording(demo: tuple[str, Path]) -> None:
    """The command that it prints finds what it has left."""
    printed, out = demo
    command = printed.strip().splitlines()[-1].partition(":")[2].split()
    assert command[:2] == ["faustwire", "listen"]
    assert Path(command[2]).resolve() == (out / "demo.mcap").resolve()
    assert (out / "demo.mcap").stat().st_size > 0


def test_the_picture_is_a_picture(demo: tuple[str, Path]) -> None:
    """Large enough to look at, and not empty."""
    _, out = demo
    pixels = image.imread(out / "demo.png")
    assert min(pixels.shape[:2]) > 1000
    assert np.ptp(pixels[..., :3]) > 0.9


def test_a_worker_that_fails_ends_the_demo(demo: tuple[str, Path]) -> None:
    """Exit code 1 and the end of its log; the run before has left the files free for this one."""
    _, out = demo
    result = run_demo(out, "--min-interval", "-1")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "min_interval" in result.stdout
