"""The macro controls: knobs added to the trained model without changing its parameters.

Names, labels, units, ranges and defaults are the reference's (``adac.json_to_faust``), so that a
knob has the same address, and keeps its position, whichever of the two wrote the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import NoneType
from typing import Any

from faustwire.errors import FaustwireError, is_finite, shown


class ControlError(FaustwireError, ValueError):
    """A control or one of its fields is unknown, or has a value that can't be used."""


@dataclass(frozen=True)
class Slider:
    """One knob.

    Attributes:
        label: part of its address in the plugin.
        unit: of its numbers: "s", "ms", or empty for a ratio.
        init: where it stands at first. None, of ``rt60`` only: at rest where the model decays by
            itself, at the reference's 2 s where it is lossless; see ``placed``.
        min, max: its range.
        step: the smallest change.
        neutral_end: whether it does nothing at the right end of its range; never on the wire.
    """

    label: str
    unit: str
    init: float | None
    min: float
    max: float
    step: float
    neutral_end: bool = False


DEFAULTS: Mapping[str, Slider] = {
    "dry_wet": Slider("dry/wet", "", 1.0, 0.0, 1.0, 0.01),
    "pre_delay": Slider("pre-delay", "ms", 0.0, 0.0, 250.0, 1.0),
    "rt60": Slider("rt60", "s", None, 0.1, 10.0, 0.01),
}
# The reference's position of rt60, where nothing else lets a lossless model decay.
_LOSSLESS_SECONDS = 2.0
_NOT_ASKED = ("unit", "neutral_end")
_FIELDS = [field.name for field in fields(Slider) if field.name not in _NOT_ASKED]


def sliders(controls: Mapping[str, Any] | None) -> dict[str, Slider]:
    """Read a ``controls`` argument.

    Args:
        controls: {"rt60" | "dry_wet" | "pre_delay": True, a dict that overrides some of
            label/init/min/max/step, or False/None, which leave it out}.

    Returns:
        The sliders asked for, by the control's name, in the order of those names.

    Raises:
        ControlError: a control or field is unknown, or a range is empty.
    """
    if controls is not None and not isinstance(controls, Mapping):
        raise ControlError(
            f'controls={shown(controls)}: give the controls by name, such as {{"rt60": True}}'
        )
    asked = {name: value for name, value in (controls or {}).items() if not _is_off(value)}
    for name in asked:
        if name not in DEFAULTS:
            raise ControlError(f"unknown control {shown(name)}; there are {', '.join(DEFAULTS)}")
    return {name: _slider(name, asked[name]) for name in DEFAULTS if name in asked}


def overridden(
    embedded: Mapping[str, Slider], controls: Mapping[str, Any] | None
) -> dict[str, Slider]:
    """The sliders of a config, with those that a caller asks for, or leaves out, instead.

    Args:
        embedded: of the config, by the control's name.
        controls: as for ``sliders``.

    Returns:
        The sliders that are left, by the control's name.

    Raises:
        ControlError: as ``sliders``.
    """
    kept = {name: slider for name, slider in embedded.items() if name not in (controls or {})}
    return kept | sliders(controls)


def placed(chosen: Mapping[str, Slider], *, decays: bool) -> dict[str, Slider]:
    """Give each slider a position at first, as the model asks for it.

    Args:
        chosen: the sliders, by the control's name.
        decays: whether the model decays by itself, without any knob.

    Returns:
        The same sliders, each with an ``init``; ``rt60`` is neutral at its right end if it has no
        position of the caller's own, or that very one.
    """
    return {name: _placed(slider, decays) for name, slider in chosen.items()}


def _placed(slider: Slider, decays: bool) -> Slider:
    if slider.init is None:
        lossless = min(max(_LOSSLESS_SECONDS, slider.min), slider.max)
        return replace(slider, init=slider.max if decays else lossless, neutral_end=True)
    at_end = slider.unit == DEFAULTS["rt60"].unit and slider.init >= neutral_above(slider)
    return replace(slider, neutral_end=slider.neutral_end or at_end)


def neutral_above(slider: Slider) -> float:
    """The position above which a knob with a neutral end does nothing: half a step below its end.

    Args:
        slider: of the knob ``rt60``.

    Returns:
        Seconds. Half a step, since the plugin keeps positions in single precision.
    """
    return slider.max - min(slider.step, slider.max - slider.min) / 2


def to_overrides(chosen: Mapping[str, Slider]) -> dict[str, dict[str, Any]]:
    """The sliders as a ``controls`` argument that ``sliders`` reads."""
    return {
        name: {
            key: value
            for key, value in asdict(slider).items()
            if key not in _NOT_ASKED and (key, value) != ("init", None)
        }
        for name, slider in chosen.items()
    }


def _is_off(value: object) -> bool:
    return isinstance(value, (bool, int, NoneType)) and not value


def _slider(name: str, overrides: object) -> Slider:
    if overrides is True:
        return DEFAULTS[name]
    if not isinstance(overrides, Mapping):
        raise ControlError(
            f"control {name!r} is True or a dict of overrides, not {shown(overrides)}"
        )
    for key, value in overrides.items():
        if key not in _FIELDS:
            raise ControlError(
                f"control {name!r} has no field {shown(key)}; it has {', '.join(_FIELDS)}"
            )
        if key == "label":
            _check_label(name, value)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ControlError(f"control {name!r}: {key} is a number, not {shown(value)}")
        elif not is_finite(value):
            raise ControlError(f"control {name!r}: {key} is {shown(value)}, not a finite number")
    slider = replace(DEFAULTS[name], **overrides)
    _check_range(name, slider)
    return slider


def _check_label(name: str, label: object) -> None:
    # A label becomes a part of the slider's address, and stands between quotes in the program.
    if not isinstance(label, str) or not label.strip() or not label.isprintable():
        raise ControlError(f"control {name!r}: the label is printable text, not {shown(label)}")
    if bad := sorted(set(label) & set('"\\[]')):
        raise ControlError(f"control {name!r}: a label can't hold {' '.join(bad)}")
    if len(label) > 64:
        raise ControlError(f"control {name!r}: a label has at most 64 characters")


def _check_range(name: str, slider: Slider) -> None:
    init = slider.max if slider.init is None else slider.init
    if not (slider.min <= init <= slider.max and slider.min < slider.max):
        raise ControlError(
            f"control {name!r}: init must lie between min and max, min below max; "
            f"they are {init:g}, {slider.min:g} and {slider.max:g}"
        )
    if slider.step <= 0:
        raise ControlError(f"control {name!r}: step is above 0, not {slider.step:g}")
    lowest = {"dry_wet": 0.0, "pre_delay": 0.0, "rt60": 1e-3}[name]
    if slider.min < lowest:
        raise ControlError(f"control {name!r}: min is at least {lowest:g}, not {slider.min:g}")
    highest = {"dry_wet": 1.0, "pre_delay": 10_000.0, "rt60": 1e4}[name]
    if slider.max > highest:
        raise ControlError(f"control {name!r}: max is at most {highest:g}, not {slider.max:g}")
