"""The sweeps of the examples run for real, and what their page shows works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from bridges import Plugin, eventually, served
from models import fdn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sweeps.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
STEPS = 5


# torch's own threads end a process so now and then, at its very end.
ABORTED = "terminate called without an active exception"


class TorchAbortedError(Exception):
    """An example was done, and then torch aborted."""


def run(*arguments: str, endpoint: str, seconds: float) -> str:
    """Run an example as its page says, and return what it prints."""
    path = [str(ROOT / "examples"), *filter(None, [os.environ.get("PYTHONPATH")])]
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path),
            "FAUSTWIRE_ENDPOINT": endpoint,
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    if ABORTED in ended.stdout:
        raise TorchAbortedError(ended.stdout)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def joined(log: str) -> list[str]:
    return re.findall(r"joined +worker=(\S+)", log)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_of_the_processes_that_torchrun_starts_rank_0_alone_is_heard(plugin: Plugin) -> None:
    for _ in range(3):
        with suppress(TorchAbortedError):
            rank_0_alone_is_heard(plugin)
            return
    pytest.fail("torch aborted three times")


def rank_0_alone_is_heard(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        told = run(
            *("torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "sweeps.torchrun", "--steps", str(STEPS), "--rate", "0.03"),
            endpoint=bridge.endpoint,
            seconds=110.0,
        )
        assert re.search(r"rank 0: loss 0\.\d+, published", told), told
        assert joined(bridge.log()) == ["rate-0.03"]
    assert "mixing[4]" in plugin.program()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_trial_of_ray_tune_is_a_worker(plugin: Plugin, tmp_path: Path) -> None:
    if find_spec("ray") is None:
        pytest.skip("pip install 'ray[tune]' to test the example; it is too large for every day")
    with served(plugin, "--follow", "best", "loss") as bridge:
        told = run(
            *("sweeps.ray_tune", "--endpoint", bridge.endpoint, "--steps", str(STEPS)),
            *("--rates", "0.01", "0.03", "--cpus", "2", "--results", str(tmp_path)),
            endpoint="",
            seconds=280.0,
        )
        assert "the best rate is 0.03" in told
        eventually(lambda: len(joined(bridge.log())) == 2, "both were there")
        assert sorted(joined(bridge.log())) == ["rate-0.01", "rate-0.03"]
    assert "mixing[4]" in plugin.program()


@pytest.mark.parametrize("number", range(3))
def test_the_pages_python_runs(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    assert len(BLOCKS) == 3
    model = fdn(2)
    with served(plugin) as bridge:
        for name, value in (
            ("FAUSTWIRE_ENDPOINT", bridge.endpoint),
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("RANK", "0"),
        ):
            monkeypatch.setenv(name, value)
        names: dict[str, Any] = {
            "model": model,
            "rate": 0.01,
            "loss": torch.tensor(0.5),
            "optimizer": torch.optim.Adam(model.parameters()),
            "data": [(0, 0)],
            "step": lambda _x, _target: torch.tensor(0.5),
        }
        exec(BLOCKS[number], names)  # noqa: S102
        if "trial" in names:
            names["trial"]({"endpoint": bridge.endpoint, "rate": 0.01})
        else:
            names["live"].update(model, force=True)
            names["live"].close()
        assert joined(bridge.log()) == [("sweep-7", "lr-0.01", "lr-0.01")[number]]
    assert "process" in plugin.program()
