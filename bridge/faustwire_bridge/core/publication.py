"""A snapshot or program on its way to the plugin, and how that ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from faustwire.messages import Reason
from faustwire_bridge.core.compile_report import LOAD_FS, Report
from faustwire_bridge.core.session import Session
from faustwire_bridge.core.sound_limits import Assessment


@dataclass(frozen=True)
class Publication:
    """A snapshot or program on its way to the plugin.

    Attributes:
        session, seq: the worker and the number of its message.
        kind: "call"; or "settled" or "followed" for a snapshot that had its verdict before, and is
            published because its time has come or because another worker was chosen.
        call: number of the call of ``update``; None: Faust text of the worker's own.
        arrival: arrival index across all workers.
        program, structure: Faust text, once there is one, and the digest of its structure.
        snapshot: its bytes; None: Faust text of the worker's own.
        force: also if nobody hears the change.
        compared_with: ``fingerprint`` of the program that played when it was judged.
        warnings: what is not as the worker has it, one line each.
        fs: sampling rate in Hz that the model is for; of Faust text, that at which it is measured.
        assessment: what is known of the model's sound.
        report: what libfaust says of the program's structure.
    """

    session: Session
    seq: int
    kind: str = "call"
    call: int | None = None
    arrival: int = 0
    program: str = ""
    structure: bytes = b""
    snapshot: bytes | None = field(default=None, repr=False)
    force: bool = False
    compared_with: str | None = None
    warnings: tuple[str, ...] = ()
    fs: float = LOAD_FS
    assessment: Assessment = field(default_factory=Assessment)
    report: Report | None = None

    @property
    def needs_playing(self) -> bool:
        """Whether only playing the program can tell how it sounds.

        What libfaust says of it then holds for this text alone, not for its structure.
        """
        return self.call is None or not self.assessment.certain


@dataclass(frozen=True)
class Conclusion:
    """How a publication ended.

    Attributes:
        publication: which.
        reason: one of the closed list.
        detail: one line for people.
    """

    publication: Publication
    reason: Reason
    detail: str = ""
