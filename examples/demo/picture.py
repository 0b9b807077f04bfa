"""The demo's picture: what was learnt, and when the plugin heard of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demo.rooms import FS, ROOMS, Room
from demo.session import Heard, Record
from demo.sound import Response, energy_decay_db, octave, spectrogram_db

_INK, _MUTED, _GRID = "#22262e", "#7a8290", "#e6e8ec"
# One hue a worker: the dark shade is it, and its low band; the light shade is its high band.
_SHADES = {"hall": ("#1d4e89", "#3fa7d6"), "chamber": ("#a63d2f", "#f0913a")}
_BANDS_HZ = (500.0, 4000.0)
_FLOOR_DB = -60.0


@dataclass(frozen=True)
class Change:
    """What a worker's first and last published programs answer to an impulse: [2, samples] each."""

    before: Response
    after: Response


def draw(record: Record, heard: Sequence[Heard], changes: Mapping[str, Change], path: Path) -> None:
    """Draw decays above, spectrograms in the middle, the timeline below; write a PNG."""
    figure = Figure(figsize=(14, 12.5), facecolor="white")
    rows = figure.add_gridspec(
        4,
        1,
        height_ratios=(4.2, 2.7, 2.7, 1.2),
        hspace=0.42,
        left=0.065,
        right=0.975,
        top=0.915,
        bottom=0.05,
    )
    figure.suptitle(
        "Two reverberators learn, and are heard while they do",
        x=0.065,
        y=0.985,
        ha="left",
        fontsize=21,
        fontweight="bold",
        color=_INK,
    )
    calls = sum(map(len, record.calls.values()))
    figure.text(
        0.065,
        0.945,
        f"{calls} calls of HotReload.update from {len(changes)} processes, {len(heard)} reloads "
        f"of the plugin, {median(each.reload.compile_ms for each in heard):.0f} ms of silence each",
        fontsize=12.5,
        color=_MUTED,
    )
    decays = rows[0].subgridspec(1, len(changes), wspace=0.13)
    views = rows[1].subgridspec(1, len(changes), wspace=0.13)
    for column, (name, change) in enumerate(changes.items()):
        _draw_decay(figure.add_subplot(decays[column]), ROOMS[name], change)
        pair = views[column].subgridspec(1, 2, wspace=0.06)
        for side, word in enumerate(("before", "after")):
            axes = figure.add_subplot(pair[side])
            _draw_spectrogram(axes, word, getattr(change, word), label=side == 0)
    losses = figure.add_subplot(rows[2])
    _draw_losses(losses, record)
    _draw_reloads(figure.add_subplot(rows[3], sharex=losses), record, heard)
    figure.savefig(path, dpi=120)


def _draw_decay(axes: Axes, room: Room, change: Change) -> None:
    times = np.arange(change.after.shape[-1]) / FS
    shown = slice(None, None, 64)
    for hz, shade in zip(_BANDS_HZ, _SHADES[room.name], strict=True):
        band = f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz:g} Hz"
        target_db = -60 * times / room.target_at(hz)
        axes.plot(times[shown], target_db[shown], color=shade, lw=9, alpha=0.22)
        before_db = energy_decay_db(octave(change.before, hz))
        axes.plot(times[shown], before_db[shown], color=shade, lw=1.4, ls=(0, (1.2, 1.6)))
        after_db = energy_decay_db(octave(change.after, hz))
        axes.plot(times[shown], after_db[shown], color=shade, lw=2.2, label=band)
    axes.set(xlim=(0, 2.5), ylim=(_FLOOR_DB, 2), xlabel="seconds")
    axes.set_ylabel("energy left, dB")
    _title(axes, room.name, "dotted: before training   line: after   wide: target")
    axes.legend(loc="upper right", frameon=False, labelcolor=_INK, fontsize=11, title="octave at")
    _tidy(axes)


def _draw_spectrogram(axes: Axes, title: str, response: Response, *, label: bool) -> None:
    hz, seconds, power_db = spectrogram_db(response)
    audible = hz >= 60
    axes.pcolormesh(
        seconds, hz[audible], power_db[audible], cmap="magma", vmin=-80, vmax=0, rasterized=True
    )
    axes.set_yscale("log")
    axes.set(xlim=(0, 1.5), ylim=(60, 20_000), xticks=(0, 0.5, 1))
    axes.set_yticks([100, 1000, 10_000], ["100", "1k", "10k"] if label else ["", "", ""])
    axes.set_ylabel("Hz" if label else "")
    axes.set_yticks([], minor=True)
    axes.set_title(title, loc="left", fontsize=12, color=_INK)
    axes.set_xlabel("seconds")
    _tidy(axes, grid=False)


def _draw_losses(axes: Axes, record: Record) -> None:
    for name, calls in record.calls.items():
        times = [call.ended_monotonic_s - record.begun_monotonic_s for call in calls]
        axes.plot(times, [call.loss for call in calls], color=_SHADES[name][0], lw=2, label=name)
    axes.legend(loc="upper right", frameon=False, labelcolor="linecolor", fontsize=12)
    axes.set_yscale("log")
    axes.set_ylabel("loss")
    axes.tick_params(labelbottom=False)
    _title(axes, "training", "one point a step of the optimiser")
    _tidy(axes)


def _draw_reloads(axes: Axes, record: Record, heard: Sequence[Heard]) -> None:
    for each in heard:
        time = each.reload.monotonic_s - record.begun_monotonic_s
        shade = _SHADES[each.worker][0]
        axes.vlines(time, 0, each.reload.compile_ms, color=shade, lw=2)
        axes.plot(time, each.reload.compile_ms, "o", color=shade, ms=4.5)
    axes.set(ylim=(0, None), xlabel="seconds since the start of the two trainings")
    axes.set_ylabel("ms")
    _title(axes, "reloads of the plugin", "height: how long libfaust compiled")
    _tidy(axes)


def _title(axes: Axes, title: str, remark: str) -> None:
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", color=_INK)
    axes.set_title(remark, loc="right", fontsize=10.5, color=_MUTED)


def _tidy(axes: Axes, *, grid: bool = True) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    style: dict[str, Any] = {"color": _MUTED, "labelcolor": _MUTED, "labelsize": 10}
    axes.tick_params(which="both", **style)
    axes.xaxis.label.set_color(_MUTED)
    axes.yaxis.label.set_color(_MUTED)
    if grid:
        axes.grid(color=_GRID, lw=0.8)
        axes.set_axisbelow(True)
