"""A run as a plot: metrics, decay and response over the calls, and what was published."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from faustwire import codec
from faustwire.atomic_file import ReplacedFile
from faustwire.errors import FaustwireError
from faustwire.graph import Node
from faustwire.messages import Snapshot
from faustwire.terminal import printable
from faustwire_bridge.analysis import stability
from faustwire_bridge.analysis.transfer import circle, full, transfer
from faustwire_bridge.recordings.summary import Account, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _MUTED, _MARK = "#22262e", "#7a8290", "#d1495b"
# Bands of a third of an octave, and frequencies in each: a reverberator's peaks are narrower than
# any grid, what is heard of its colour is their mean.
_BANDS, _PER_BAND = 30, 48
_LOWEST_HZ = 20.0
# For a decay time of what the bridge did not judge.
_MOST_POINTS = 2**15


class PlotError(FaustwireError, RuntimeError):
    """There is nothing to draw, or nothing to draw with."""


def draw(found: Summary, path: Path) -> None:
    """Draw a summary and write it in the format of the path's ending.

    Args:
        found: as for ``figure``.
        path: the file to write; an ending that matplotlib knows, for instance ``.png``.

    Raises:
        PlotError: as ``figure``, or matplotlib can't write a file with this ending.
        OSError: the file can't be written.
    """
    drawn, encoded = figure(found), io.BytesIO()
    try:
        drawn.savefig(encoded, format=path.suffix[1:] or "png", dpi=110)
    except ValueError as problem:
        raise PlotError(f"{path}: {problem}") from problem
    ReplacedFile(path, str(os.getpid())).write(encoded.getvalue())


def figure(found: Summary) -> Figure:
    """Draw a summary, a column for each worker.

    Args:
        found: the summary; of each worker its metrics, its decay time in seconds and its response
            in dB are drawn: of what was published, or else of what it sent.

    Returns:
        The figure.

    Raises:
        PlotError: matplotlib is not installed, or no worker has sent a snapshot.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  (optional)
    except ImportError as error:
        raise PlotError(
            f"a plot needs matplotlib ({error}): pip install 'faustwire[plot]'"
        ) from error
    accounts = [account for account in found.accounts.values() if account.snapshots]
    shown = [account for account in accounts if account.drawn]
    if not shown:
        raise PlotError("none of the first workers has sent a snapshot: there is nothing to draw")
    drawn = Figure(figsize=(6.5 * len(shown), 10), layout="constrained")
    grid: Any = drawn.subplots(3, len(shown), squeeze=False)
    for column, account in enumerate(shown):
        _draw_metrics(grid[0, column], account)
        _draw_decay(grid[1, column], account)
        _draw_response(grid[2, column], account)
    if len(accounts) > len(shown):
        drawn.suptitle(f"the first {len(shown)} of {len(accounts)} workers")
    return drawn


def _draw_metrics(axes: Axes, account: Account) -> None:
    values: dict[str, list[tuple[int, float]]] = {}
    for call, metrics in account.curve:
        for name, value in metrics.items():
            if np.isfinite(value):
                values.setdefault(name, []).append((call, value))
    for name, points in list(values.items())[:8]:
        axes.plot(*zip(*points, strict=True), lw=1.4, label=_plain(name))
    if values:
        axes.legend(loc="upper right", frameon=False)
        least = min(value for points in values.values() for _, value in points)
        if least > 0:
            axes.set_yscale("log")
    calls = [call for call, _ in account.publishes]
    # A tick at the bottom each: where the plugin got another program.
    axes.plot(
        calls, [0.0] * len(calls), "|", color=_MARK, ms=9, transform=axes.get_xaxis_transform()
    )
    axes.set_title(
        f"{_plain(account.hello.worker)}: {account.published} published of "
        f"{account.newest_call} calls",
        loc="left",
        color=_INK,
    )
    axes.set_ylabel("metrics")
    _tidy(axes, "call; red: published")


def _draw_decay(axes: Axes, account: Account) -> None:
    points = list(account.rt60) or _computed_decays(account)
    if points:
        axes.plot(*zip(*points, strict=True), ".-", color="#1d4e89", lw=1.0, ms=4)
    axes.set_ylabel("RT60, s (slowest mode, or a bound)")
    _tidy(axes, _of_what(account, "call") if points else "no decay was measured")


def _computed_decays(account: Account) -> list[tuple[int, float]]:
    """Decay times of a worker for which the bridge said none, since it published nothing."""
    found = [
        (call, stability.classify(each.graph, fs=each.fs, max_points=_MOST_POINTS).rt60_seconds)
        for call, each in _snapshots(account)
        if not account.models
    ]
    return [(call, seconds) for call, seconds in found if seconds is not None]


def _snapshots(account: Account) -> list[tuple[int, Snapshot]]:
    """Some of what was published of a worker; where that is nothing, of what it sent."""
    found = []
    for call, data in account.models or account.sent:
        with suppress(FaustwireError):
            message = codec.decode(data)
            if isinstance(message, Snapshot):
                found.append((call, message))
    return found


def _of_what(account: Account, label: str) -> str:
    return label if account.models else f"{label} (sent, none was published)"


def _draw_response(axes: Axes, account: Account) -> None:
    from matplotlib import colormaps  # noqa: PLC0415  (optional)

    snapshots = _snapshots(account)
    shades = colormaps["viridis"](np.linspace(0.0, 0.85, max(1, len(snapshots))))
    for (call, snapshot), shade in zip(snapshots, shades, strict=False):
        hz, gain_db = response_db(snapshot.graph, snapshot.fs)
        axes.semilogx(hz, gain_db, color=shade, lw=1.3, label=f"call {call}")
    if snapshots:
        axes.legend(loc="upper right", framealpha=0.7, fontsize=7, ncols=3)
    axes.set_ylabel("gain in thirds of an octave, dB")
    _tidy(axes, _of_what(account, "Hz"))


@np.errstate(all="ignore")  # a mode on the circle is infinite there
def response_db(graph: Node, fs: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much a model amplifies each band, from all inputs to all outputs together.

    Args:
        graph: a valid one.
        fs: sampling rate in Hz.

    Returns:
        (hz, gain_db): the bands' middles and their mean gain in dB.
    """
    edges = np.geomspace(_LOWEST_HZ, fs / 2, _BANDS + 1)
    spread = (np.arange(_PER_BAND) + 0.5) / _PER_BAND
    hz = edges[:-1, None] * (edges[1:] / edges[:-1])[:, None] ** spread
    angles = 2 * np.pi * hz.ravel() / fs
    response = full(transfer(graph, circle(0.0, angles), trace=None))
    power = np.broadcast_to((abs(response) ** 2).sum(axis=(1, 2)), angles.shape)
    mean = np.nanmean(np.where(np.isfinite(power), power, np.nan).reshape(hz.shape), axis=1)
    return np.sqrt(edges[:-1] * edges[1:]), 10 * np.log10(np.maximum(mean, 1e-30))


def _plain(text: str) -> str:
    # Dollars would be formulas.
    return printable(text)[:80].replace("$", r"\$")


def _tidy(axes: Axes, label: str) -> None:
    axes.set_xlabel(label, color=_MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e8ec", lw=0.8)
    axes.set_axisbelow(True)
