"""Whether the plugin can take a program as it is; ``docs/gates.md`` has the table."""

from __future__ import annotations

from collections.abc import Sequence

from faustwire.messages import Reason
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.refusal import Refusal

PLUGIN_CHANNELS = 2
PLUGIN_SLOTS = 12


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


def control_warnings(controls: Sequence[Control], before: Sequence[Control]) -> list[str]:
    """Find what works, but not as people may expect.

    Args:
        controls: of the program.
        before: of the program that plays now.

    Returns:
        One line each.
    """
    parameters = [control.address for control in controls if not control.shows]
    lines = []
    if len(parameters) > PLUGIN_SLOTS:
        lines.append(
            f"{len(parameters)} sliders: the plugin has {PLUGIN_SLOTS} slots, the others can't be "
            "reached"
        )
    gone = [c.address for c in before if not c.shows and c.address not in set(parameters)]
    if gone:
        lines.append(f"{', '.join(gone)}: gone, and with it the position that the plugin kept")
    return lines
