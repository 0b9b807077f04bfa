"""The settings by which a bridge decides, and how a recording keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from faustwire.limits import COST_MULTIPLE
from faustwire.messages import Choice
from faustwire_bridge.core.sound_limits import Limits

# Settings of bridges that did not know of a limit yet: their recordings are decided as then.
_BEFORE = {"min_change_db": None}


@dataclass(frozen=True)
class Rules:
    """The settings by which a bridge decides.

    Attributes:
        follow: whom the plugin follows at first.
        settle: publish every worker's newest snapshot that only time turned down, as soon as time
            allows it.
        leave_when_idle: stop when the last worker has left.
        cost_multiple: least time between two reloads, in compile times of the program that plays.
        let_ring: least time between two reloads, in RT60s of the program that plays.
        limits: how loud a program may be.
        sees_all: have workers send the calls that would be turned down anyway, for a recording.
    """

    follow: Choice = field(default_factory=Choice)
    settle: bool = False
    leave_when_idle: bool = False
    cost_multiple: float = COST_MULTIPLE
    let_ring: float = 0.0
    limits: Limits = field(default_factory=Limits)
    sees_all: bool = False

    def to_text(self) -> str:
        """The rules as a recording keeps them; ``from_text`` reads them again."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Rules:
        """Read rules from a recording.

        Args:
            text: as ``to_text`` writes it.

        Returns:
            The rules.

        Raises:
            ValueError: the text is not JSON.
            TypeError: fields are missing or unknown.
            KeyError: ``follow`` or ``limits`` is missing.
        """
        known = json.loads(text)
        limits = Limits(**{**_BEFORE, **known["limits"]})
        return cls(**{**known, "follow": Choice(**known["follow"]), "limits": limits})
