"""How exactly the programs play the models: every test model, in double and in single precision.

Prints, for each model of the test suite, the greatest deviation of libfaust's impulse response
from FLAMO's own, relative to the response's peak, in dB. The plugin runs single precision.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import flamo_truth  # noqa: E402
from faustwire import flamo_to_json  # noqa: E402
from faustwire_bridge import json_to_faust  # noqa: E402
from faustwire_bridge.children.libfaust import compile_program  # noqa: E402
from flamo_filters import MODELS, make  # noqa: E402
from graph_response import relative_db  # noqa: E402

FS = 48_000
SAMPLES = 2000


def deviations(name: str) -> tuple[float, float]:
    """(double, single) precision, dB relative to the peak of the true response."""
    model = make(name)
    text = json_to_faust(flamo_to_json(model, FS))
    played = [
        compile_program(text, double=double).impulse_response(SAMPLES, FS)
        for double in (True, False)
    ]
    if "scattering" in name or "velvet" in name:
        # FLAMO damps these in single precision.
        truth = flamo_truth.impulse_response(model, SAMPLES, nfft=2**15, alias_decay_db=0)
    else:
        truth = flamo_truth.impulse_response(model, SAMPLES)
    double, single = (relative_db(response, truth) for response in played)
    return double, single


def main() -> None:
    """Print the table, the worst in single precision first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="models whose name contains this")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    rows = [(name, *deviations(name)) for name in MODELS if only in name]
    rows.sort(key=lambda row: -row[2])
    table = Table(title="deviation from FLAMO's impulse response, dB")
    for column in ("model", "double", "single"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, double, single in rows:
        table.add_row(name, f"{double:.0f}", f"{single:.0f}")
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{len(rows)} models; worst: {max(row[1] for row in rows):.0f} double, "
        f"{rows[0][2]:.0f} single; {sum(row[2] > -120 for row in rows)} above -120 in single"
    )


if __name__ == "__main__":
    main()
