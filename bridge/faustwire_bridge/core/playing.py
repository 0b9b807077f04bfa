"""What the plugin has."""

from __future__ import annotations

from dataclasses import dataclass, field

from faustwire_bridge.core.compile_report import Control
from faustwire_bridge.core.session import Session


@dataclass(frozen=True)
class Playing:
    """What the plugin has.

    Attributes:
        program: ``fingerprint`` of its text; None: not known, since somebody else wrote the file.
        session, call: whose snapshot it is; None: nothing yet, or Faust text of a worker's own.
        snapshot: its bytes; None: not known, nothing yet, or Faust text.
        compile_seconds, controls, level_db, load: what is known of it.
    """

    program: str | None = None
    session: Session | None = None
    call: int | None = None
    snapshot: bytes | None = field(default=None, repr=False)
    compile_seconds: float | None = None
    controls: tuple[Control, ...] = ()
    level_db: float | None = None
    load: float | None = None
