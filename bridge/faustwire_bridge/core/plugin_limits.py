"""Whether the plugin can take a program as it is; ``docs/gates.md`` has the table."""

from __future__ import annotations

from collections.abc import Sequence

from faustwire.messages import MAY_CRASH, Reason
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.refusal import Refusal

PLUGIN_CHANNELS = 2
PLUGIN_SLOTS = 12
# While the plugin compiles, a DAW that asks for the values of its knobs reads freed memory. Where
# it asked 30 times a second, one session in ten crashed at 5 ms (networks of 4 lines), a third at
# 10 ms (8 lines), and all but one of sixty at 26 ms (16 lines).
LONG_COMPILE_SECONDS = 0.005


def check_plugin_limits(report: Report) -> Refusal | None:
    """Find what the plugin can't handle in a program that compiles.

    Args:
        report: what libfaust says of the program.

    Returns:
        What the plugin would do wrong and what to change; None: the plugin can take it.
    """
    problem = _channels(report) or _swapped_range(report.controls)
    return None if problem is None else Refusal(Reason.MISFIT, problem)


def _channels(report: Report) -> str | None:
    if report.n_out != PLUGIN_CHANNELS:
        what = "crash" if report.n_out > PLUGIN_CHANNELS else "leave a channel unwritten"
        return (
            f"the program has {report.n_out} outputs and the plugin would {what}: end it with "
            "exactly 2 (one signal on both: <: _,_)"
        )
    if report.n_in > PLUGIN_CHANNELS:
        return (
            f"the program has {report.n_in} inputs and the plugin has {PLUGIN_CHANNELS}: it would "
            "read past them; take at most 2"
        )
    return None


def _swapped_range(controls: Sequence[Control]) -> str | None:
    """The plugin numbers ranges as the user interface does, but values in order of address."""
    parameters = [control for control in controls if not control.shows]
    named = {control.address: control for control in controls}
    for ranged, address in zip(parameters, sorted(named), strict=False):
        real = named[address]
        if real.shows or (ranged.init, ranged.min, ranged.max) != (real.init, real.min, real.max):
            return (
                f"the plugin would give {address} the range of {ranged.address}, "
                f"{ranged.min:g} to {ranged.max:g}: name the sliders so that their order in the "
                "user interface is the ASCII order of their addresses, each once, and leave out "
                "bargraphs"
            )
    return None


def control_warnings(report: Report, before: Sequence[Control]) -> list[str]:
    """Find what works, but not as people may expect.

    Args:
        report: what libfaust says of the program.
        before: the controls of the program that plays now.

    Returns:
        One line each.
    """
    controls = report.controls
    parameters = [control.address for control in controls if not control.shows]
    lines = []
    if parameters and report.seconds >= LONG_COMPILE_SECONDS:
        lines.append(
            f"{MAY_CRASH}it has knobs and takes {1000 * report.seconds:.0f} ms to compile, and a "
            "DAW that asks for the knobs' values meanwhile reads memory that the plugin has freed; "
            "use fewer lines or a cheaper matrix, or leave the knobs out (docs/gates.md)"
        )
    if len(parameters) > PLUGIN_SLOTS:
        lines.append(
            f"{len(parameters)} sliders: the plugin has {PLUGIN_SLOTS} slots, the others can't be "
            "reached"
        )
    gone = [c.address for c in before if not c.shows and c.address not in set(parameters)]
    if gone:
        lines.append(f"{', '.join(gone)}: gone, and with it the position that the plugin kept")
    return lines + _clamped(controls, before)


def _clamped(controls: Sequence[Control], before: Sequence[Control]) -> list[str]:
    """The plugin keeps a knob's position, but not outside of the new range."""
    had = {control.address: control for control in before if not control.shows}
    return [
        f"{now.address}: its range is now {now.min:g} to {now.max:g} and was {then.min:g} to "
        f"{then.max:g}; a position beyond it is lost"
        for now in controls
        if not now.shows
        and (then := had.get(now.address)) is not None
        and (now.min > then.min or now.max < then.max)
    ]
