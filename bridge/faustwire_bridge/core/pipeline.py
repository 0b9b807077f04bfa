"""From a snapshot that is due to the plugin's file: codegen, dedupe, gates, write. Pure.

One publication at a time. Each step ends with an instruction, whose outcome leads to the next, or
with how the publication ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from faustwire.fingerprint import fingerprint
from faustwire.messages import Reason, Snapshot
from faustwire_bridge.core.compile_cache import CompileCache
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.events import (
    Compiled,
    CompileFailed,
    Judged,
    JudgeFailed,
    Outcome,
    Unchecked,
    WriteFailed,
    Written,
)
from faustwire_bridge.core.instructions import Compile, Judge, Write
from faustwire_bridge.core.plugin_limits import misfit, remarks
from faustwire_bridge.core.program_structure import structure
from faustwire_bridge.core.sessions import Session
from faustwire_bridge.core.sound_limits import Limits, Sound, heard
from faustwire_bridge.core.throttle import LastReload

# A compile that did not come to an end may have met a busy machine: its structure gets another
# chance, but not at every step of a training.
RETRY_SECONDS = 10.0


@dataclass(frozen=True)
class Publication:
    """Something on its way to the plugin.

    Attributes:
        session, seq: whose it is, and which.
        kind: "call", or what else made it: "settled", or "followed" after another choice; those
            were answered before.
        call: number of the call of ``update``; None: text of the caller's own.
        arrived: the how manieth snapshot of all it is.
        program: Faust text, once there is one.
        warnings: what is not as the worker has it, a line each.
        sound: what is known of the model.
        report: what libfaust says of the program's structure.
    """

    session: Session
    seq: int
    kind: str = "call"
    call: int | None = None
    arrived: int = 0
    program: str = ""
    warnings: tuple[str, ...] = ()
    sound: Sound = field(default_factory=Sound)
    report: Report | None = None

    @property
    def unjudged(self) -> bool:
        """Only playing it can tell how it sounds, so it is known as a whole or not at all."""
        return self.call is None or not self.sound.certain


@dataclass(frozen=True)
class Ended:
    """How a publication ended, and one line for people."""

    publication: Publication
    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class Playing:
    """What the plugin has.

    Attributes:
        program: ``fingerprint`` of its text; None: not known, since somebody else wrote there.
        session, call: whose snapshot it is; None: nothing yet, or text of somebody's own.
        compile_seconds, controls, peak_db: what is known of it.
    """

    program: str | None = None
    session: Session | None = None
    call: int | None = None
    compile_seconds: float | None = None
    controls: tuple[Control, ...] = ()
    peak_db: float | None = None


class Pipeline:
    """What is on its way to the plugin, and what it has.

    Attributes:
        current: what is on its way, if anything.
        playing: what the plugin has now.
        last_reload: when it was last made to reload.
        reloads: how often.
    """

    def __init__(self, dsp_path: str, *, cost_multiple: float, limits: Limits) -> None:
        self.current: Publication | None = None
        self.playing = Playing()
        self.last_reload: LastReload | None = None
        self.reloads = 0
        self._dsp_path = dsp_path
        self._cost_multiple = cost_multiple
        self._limits = limits
        self._config_is_due = True
        self._known: CompileCache[Report | str] = CompileCache()

    def snapshot(self, publication: Publication, snapshot: Snapshot) -> Judge:
        """Begin with a snapshot that is due."""
        self.current = publication
        return Judge(snapshot, self.playing.program, self.playing.peak_db)

    def source(self, publication: Publication, now: float) -> Compile | Write | Ended:
        """Begin with text of a caller's own."""
        if not publication.program.strip():
            # The plugin crashes its host on an empty file.
            return Ended(publication, Reason.REFUSED, "the program is empty")
        if fingerprint(publication.program) == self.playing.program:
            return Ended(publication, Reason.UNCHANGED)
        return self._check(publication, now)

    def take(self, outcome: Outcome, now: float) -> Compile | Write | Ended:
        """Go on after an instruction was followed."""
        publication, self.current = self.current, None
        assert publication is not None, "an outcome of nothing"  # noqa: S101 - the shell's fault
        match outcome:
            case JudgeFailed(problem):
                return Ended(publication, Reason.REFUSED, problem)
            case Judged():
                return self._judged(publication, outcome, now)
            case Compiled() | CompileFailed() | Unchecked():
                return self._compiled(publication, outcome, now)
            case Written():
                return self._written(publication, now)
            case WriteFailed(problem):
                self.forget()
                return Ended(publication, Reason.WRITE_FAILED, problem)

    def forget(self) -> None:
        """Somebody else has changed the ``.dsp``: what plays is not known."""
        self.playing = replace(self.playing, program=None)

    def _judged(
        self, publication: Publication, judged: Judged, now: float
    ) -> Compile | Write | Ended:
        if judged.refusal:
            return Ended(publication, Reason.REFUSED, judged.refusal)
        sound = judged.sound
        publication = replace(publication, program=judged.program, warnings=judged.warnings)
        if sound is None or fingerprint(judged.program) == self.playing.program:
            return Ended(publication, Reason.UNCHANGED)
        warnings = (*judged.warnings, *sound.warnings)
        publication = replace(publication, sound=sound, warnings=warnings)
        if sound.refusal is not None:
            return Ended(publication, *sound.refusal)
        return self._check(publication, now)

    # -- what libfaust says ------------------------------------------------------------------

    def _check(self, publication: Publication, now: float) -> Compile | Write | Ended:
        known = self._recall(publication, now)
        if known is not None:
            return self._weigh(publication, known)
        self.current = publication
        return Compile(publication.program, play=publication.unjudged)

    def _recall(self, publication: Publication, now: float) -> Report | str | None:
        """What is known of a program."""
        known = self._known.get(fingerprint(publication.program), now)
        if known is None and not publication.unjudged:
            known = self._known.get(structure(publication.program), now)
        return known

    def _compiled(
        self, publication: Publication, event: Compiled | CompileFailed | Unchecked, now: float
    ) -> Write | Ended:
        text = fingerprint(publication.program)
        key = text if publication.unjudged else structure(publication.program)
        match event:
            case Compiled(report):
                # Constants may well be what libfaust refuses: that holds for this text alone.
                self._known.put(text if report.problem else key, report)
                return self._weigh(publication, report)
            case CompileFailed(problem):
                self._known.put(key, problem, now + RETRY_SECONDS)
                return self._weigh(publication, problem)
            case Unchecked(why):
                warnings = (*publication.warnings, f"not checked: {why}")
                return self._write(replace(publication, warnings=warnings))

    def _weigh(self, publication: Publication, said: Report | str) -> Write | Ended:
        if isinstance(said, str):
            return Ended(publication, Reason.DOES_NOT_COMPILE, said)
        publication = replace(publication, report=said)
        if said.problem:
            return Ended(publication, Reason.DOES_NOT_COMPILE, said.problem)
        problem = misfit(said)
        if problem is not None:
            return Ended(publication, Reason.MISFIT, problem)
        refusal = None if said.peak is None else heard(said.peak, self._limits)
        if refusal is not None:
            return Ended(publication, *refusal)
        told = remarks(said.controls, self.playing.controls)
        return self._write(replace(publication, warnings=(*publication.warnings, *told)))

    # -- the files ---------------------------------------------------------------------------

    def _write(self, publication: Publication) -> Write:
        self.current = publication
        return Write(publication.program, rewrite_config=self._config_is_due)

    def _written(self, publication: Publication, now: float) -> Ended:
        report = publication.report
        self.playing = Playing(
            fingerprint(publication.program),
            None if publication.call is None else publication.session,
            publication.call,
            report.seconds if report else None,
            report.controls if report else (),
            publication.sound.peak_db,
        )
        cost = self._cost_multiple * report.seconds if report else 0.0
        self.last_reload = LastReload(now, cost)
        self.reloads += 1
        self._config_is_due = False
        return Ended(publication, Reason.PUBLISHED, self._dsp_path)
