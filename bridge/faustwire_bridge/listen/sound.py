"""A snapshot as a page gets it, or why it gets none."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from faustwire import codec
from faustwire.controls import Slider
from faustwire.errors import FaustwireError
from faustwire.messages import Heard, Reason, Snapshot
from faustwire_bridge.analysis.knob_positions import knobs_of_model
from faustwire_bridge.core.hearing import Hearing
from faustwire_bridge.listen.plan import Plan, make_plan

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class PageSound:
    """A snapshot that may be heard.

    Attributes:
        run: whose it is.
        call: number of its call.
        plan: what the page plays.
        margin_db, rt60_seconds: as in ``faustwire.messages.Verdict``.
        controls: its knobs, by the control's name.
    """

    run: str
    call: int
    plan: Plan
    margin_db: float | None = None
    rt60_seconds: float | None = None
    controls: Mapping[str, Slider] = field(default_factory=dict)

    def structure_message(self) -> str:
        """What the page has to have before the first frame of this structure."""
        structure_id = json.dumps(self.plan.structure_id())
        return (
            f'{{"type":"structure","id":{structure_id},"structure":{self.plan.structure_text()}}}'
        )

    def frame(self, request: int | None) -> bytes:
        """The snapshot as bytes, see ``page/connection.js``.

        Args:
            request: the page's number for what it has asked; None: it has not asked.
        """
        header = {
            "type": "snapshot",
            "run": self.run,
            "call": self.call,
            "structure": self.plan.structure_id(),
            "request": request,
            "margin_db": self.margin_db,
            "rt60_seconds": self.rt60_seconds,
            "controls": {name: asdict(slider) for name, slider in self.controls.items()},
        }
        text = json.dumps(header, allow_nan=False).encode()
        text += b" " * (-(_LENGTH.size + len(text)) % 8)
        return _LENGTH.pack(len(text)) + text + self.plan.value_bytes()


@dataclass(frozen=True)
class Refused:
    """A snapshot that no page gets.

    Attributes:
        run, call: which.
        reason: one of ``faustwire.messages.Reason``, or "not-recorded".
        detail: one line for people.
    """

    run: str
    call: int
    reason: str
    detail: str

    def message(self, request: int | None) -> str:
        """What the page is told, with its number for what it has asked."""
        return json.dumps({"type": "refused", **asdict(self), "request": request})


def hearing_of(heard: Heard) -> Hearing:
    """What a bridge has decided about a snapshot that it was asked for."""
    audible = bool(heard.snapshot)
    return Hearing(audible, heard.reason, heard.detail, heard.margin_db, heard.rt60_seconds)


def read_sound(data: bytes, run: str, call: int, heard: Hearing) -> PageSound | Refused:
    """Make a judged snapshot what a page plays.

    Args:
        data: the encoded Snapshot, as its worker sent it.
        run: whose it is.
        call: its number.
        heard: what was decided about it.

    Returns:
        The sound, or why there is none.
    """
    if not heard.audible:
        return Refused(run, call, str(heard.reason), heard.detail)
    try:
        message = codec.decode(data)
    except FaustwireError as problem:
        return Refused(run, call, str(Reason.REFUSED), str(problem))
    if not isinstance(message, Snapshot):
        return Refused(run, call, str(Reason.REFUSED), "it is not a model")
    plan = make_plan(message.graph, message.fs)
    knobs = knobs_of_model(message.graph, message.controls, fs=message.fs)
    return PageSound(run, call, plan, heard.margin_db, heard.rt60_seconds, knobs)


def as_json(message: Mapping[str, Any]) -> str:
    """A message to the page; a number that JSON does not know becomes null.

    Args:
        message: plain values.
    """
    try:
        return json.dumps(message, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(message))


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if abs(value) < float("inf") else None
        case Mapping():
            return {key: _finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
    return value
