"""The page's engine under node: plans go in, impulse responses come out."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faustwire.graph import Node, channels
from faustwire_bridge.listen.plan import make_plan

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None, reason="needs node, 20 or newer (apt-get install nodejs)"
)
_SCRIPT = Path(__file__).parents[1] / "bridge" / "listen" / "impulse_responses.mjs"


@dataclass(frozen=True)
class Asked:
    """A graph whose responses are wanted: ``samples`` of them, decay in seconds or as trained."""

    name: str
    graph: Node
    samples: int = 2000
    fs: float = 48_000
    rt60_seconds: float | None = None


def responses(asked: list[Asked], folder: Path) -> list[NDArray[np.float64]]:
    """The engine's responses, [n_out, n_in, samples] each; one node process for all."""
    assert NODE is not None
    listed = []
    for number, one in enumerate(asked):
        plan = make_plan(one.graph, one.fs)
        (folder / f"{number}.values").write_bytes(plan.value_bytes())
        structure = json.loads(plan.structure_text())
        listed.append(
            {
                "name": one.name,
                "structure": structure,
                "samples": one.samples,
                "rt60": one.rt60_seconds,
            }
        )
    (folder / "plans.json").write_text(json.dumps(listed))
    done = subprocess.run(
        [NODE, str(_SCRIPT), str(folder)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    rendered = []
    for number, one in enumerate(asked):
        n_in, n_out = channels(one.graph)
        flat = np.frombuffer((folder / f"{number}.response").read_bytes())
        rendered.append(flat.reshape(n_out, n_in, one.samples))
    return rendered
