"""From a snapshot that is due to the plugin's file: codegen, dedupe, gates, write. Pure.

One publication at a time. Each step ends with an instruction, whose outcome leads to the next
step, or with the publication's conclusion.
"""

from __future__ import annotations

from dataclasses import replace

from faustwire.fingerprint import fingerprint
from faustwire.messages import NOT_CHECKED, Reason
from faustwire.packed_snapshot import PackedSnapshot
from faustwire_bridge.core.compile_cache import CompileCache
from faustwire_bridge.core.compile_report import Report, at_rate, unplayed_warning
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
from faustwire_bridge.core.playing import Playing
from faustwire_bridge.core.plugin_limits import check_plugin_limits, control_warnings
from faustwire_bridge.core.program_imports import may_import, problem_at_hand, unexpanded
from faustwire_bridge.core.program_structure import structure
from faustwire_bridge.core.publication import Conclusion, Publication
from faustwire_bridge.core.recent_levels import RecentLevels
from faustwire_bridge.core.refusal import Refusal
from faustwire_bridge.core.sound_limits import (
    Limits,
    check_jump,
    check_load,
    check_played,
    inaudible,
)
from faustwire_bridge.core.throttle import LastReload, cost_seconds

# A compile that did not come to an end may have met a busy machine: its structure gets another
# chance, but not at every step of a training.
RETRY_SECONDS = 10.0
# Bytes of a report that is remembered; the plugin can use twelve controls, and text of a worker's
# own may have thousands.
_MAX_REMEMBERED = 2**16


class Pipeline:
    """What is on its way to the plugin, and what it has.

    Attributes:
        current: the publication in progress; None: there is none.
        playing: what the plugin has now.
        last_reload: when it was last made to reload; None: not yet.
        reloads: how often it was made to reload.
    """

    def __init__(
        self, dsp_path: str, *, cost_multiple: float, let_ring: float, limits: Limits
    ) -> None:
        self.current: Publication | None = None
        self.playing = Playing()
        self.last_reload: LastReload | None = None
        self.reloads = 0
        self._dsp_path = dsp_path
        self._cost_multiple = cost_multiple
        self._let_ring = let_ring
        self._limits = limits
        self._config_is_due = True
        self._levels = RecentLevels()
        # The last one for which a Write was asked for.
        self._to_write: Publication | None = None
        self._known: CompileCache[Report | str] = CompileCache()

    def is_writing(self) -> bool:
        """Whether the publication in progress waits for the outcome of a Write."""
        return self.current is not None and self.current is self._to_write

    def begin_snapshot(
        self, publication: Publication, snapshot: PackedSnapshot, now: float
    ) -> Judge:
        """Begin to publish a snapshot that is due.

        Args:
            publication: as which.
            snapshot: what to publish.
            now: seconds on the bridge's clock.

        Returns:
            The first step.
        """
        force = snapshot.force or self._limits.min_change_db is None
        playing = self.playing
        self.current = replace(
            publication, snapshot=snapshot.data, force=force, compared_with=playing.program
        )
        played = None if force else playing.snapshot
        return Judge(snapshot.data, playing.program, self._levels.lowest_db(now), played)

    def begin_program(self, publication: Publication, now: float) -> Compile | Write | Conclusion:
        """Begin to publish Faust text of a worker's own.

        Args:
            publication: with its program.
            now: seconds on the bridge's clock.

        Returns:
            The first step.
        """
        if not publication.program.strip():
            # The plugin crashes its host on an empty file.
            return Conclusion(publication, Reason.REFUSED, "the program is empty")
        if problem := problem_at_hand(publication.program):
            return Conclusion(publication, Reason.REFUSED, problem)
        if fingerprint(publication.program) == self.playing.program:
            return Conclusion(publication, Reason.UNCHANGED)
        return self._check(publication, now)

    def continue_after(self, outcome: Outcome, now: float) -> Compile | Write | Conclusion:
        """Go on after an instruction was followed.

        Args:
            outcome: what came of it.
            now: seconds on the bridge's clock.

        Returns:
            The next step.
        """
        publication, self.current = self.current, None
        assert publication is not None, "an outcome of nothing"  # noqa: S101 - the caller's fault
        match outcome:
            case JudgeFailed(problem):
                return Conclusion(publication, Reason.REFUSED, problem)
            case Judged():
                return self._judged(publication, outcome, now)
            case Compiled() | CompileFailed() | Unchecked():
                return self._compiled(publication, outcome, now)
            case Written():
                return self._written(publication, now)
            case WriteFailed(problem):
                self.forget_program(now)
                return Conclusion(publication, Reason.WRITE_FAILED, problem)

    def forget_program(self, now: float) -> None:
        """Somebody else has changed the ``.dsp``: what plays is not known.

        Args:
            now: seconds on the bridge's clock.
        """
        self._levels.plays(None, now)
        self.playing = replace(self.playing, program=None, snapshot=None, level_db=None)

    def _judged(
        self, publication: Publication, judged: Judged, now: float
    ) -> Compile | Write | Conclusion:
        if judged.refusal is not None:
            return _refused(publication, judged.refusal)
        assessment = judged.assessment
        publication = replace(
            publication, program=judged.program, warnings=judged.warnings, fs=judged.fs
        )
        if assessment is None or fingerprint(judged.program) == self.playing.program:
            return Conclusion(publication, Reason.UNCHANGED)
        warnings = (*judged.warnings, *assessment.warnings)
        key = judged.structure or structure(judged.program)
        publication = replace(publication, assessment=assessment, warnings=warnings, structure=key)
        if assessment.refusal is not None:
            return _refused(publication, assessment.refusal)
        # Another program may play by now.
        compared = publication.compared_with == self.playing.program and not publication.force
        if compared and (why := inaudible(judged.change_db, self._limits)):
            return Conclusion(publication, Reason.INAUDIBLE, why)
        return self._check(publication, now)

    # -- what libfaust says ------------------------------------------------------------------

    def _check(self, publication: Publication, now: float) -> Compile | Write | Conclusion:
        known = self._recall(publication, now)
        if known is not None:
            return self._check_report(publication, known, now)
        self.current = publication
        text = publication.call is None
        return Compile(publication.program, play=publication.needs_playing, thorough=text)

    def _recall(self, publication: Publication, now: float) -> Report | str | None:
        """What libfaust has said before of this program or of its structure."""
        known = self._known.get(fingerprint(publication.program), now)
        if known is None and not publication.needs_playing:
            known = self._known.get(publication.structure, now)
        return known

    def _compiled(
        self, publication: Publication, event: Compiled | CompileFailed | Unchecked, now: float
    ) -> Write | Conclusion:
        text = fingerprint(publication.program)
        key = text if publication.needs_playing else publication.structure
        match event:
            case Compiled(report):
                # Constants may well be what libfaust refuses: that holds for this text alone.
                if report.size() <= _MAX_REMEMBERED:
                    self._known.put(text if report.problem else key, report)
                return self._check_report(publication, report, now)
            case CompileFailed(problem):
                self._known.put(key, problem, now + RETRY_SECONDS)
                return self._check_report(publication, problem, now)
            case Unchecked(why):
                if publication.call is None and may_import(publication.program):
                    return Conclusion(publication, Reason.REFUSED, unexpanded(why))
                warnings = (*publication.warnings, f"{NOT_CHECKED}{why}")
                return self._write(replace(publication, warnings=warnings), now)

    def _check_report(
        self, publication: Publication, said: Report | str, now: float
    ) -> Write | Conclusion:
        if isinstance(said, str):
            return Conclusion(publication, Reason.DOES_NOT_COMPILE, said)
        said = at_rate(said, publication.fs)
        program = said.program or publication.program
        publication = replace(publication, report=said, program=program)
        if fingerprint(program) == self.playing.program:
            return Conclusion(publication, Reason.UNCHANGED)
        refusal = self._refusal(said, now)
        if refusal is not None:
            return _refused(publication, refusal)
        told = [*control_warnings(said, self.playing.controls), *unplayed_warning(said)]
        return self._write(replace(publication, warnings=(*publication.warnings, *told)), now)

    def _refusal(self, report: Report, now: float) -> Refusal | None:
        if report.problem:
            reason = Reason.REFUSED if report.forbidden else Reason.DOES_NOT_COMPILE
            return Refusal(reason, report.problem)
        refusal = check_plugin_limits(report)
        if refusal is None and report.load is not None:
            refusal = check_load(report.load, self._limits)
        return refusal or check_played(report, self._limits, self._levels.lowest_db(now))

    # -- the files ---------------------------------------------------------------------------

    def _write(self, publication: Publication, now: float) -> Write | Conclusion:
        loudest_db = publication.assessment.loudest_db
        if loudest_db is not None:
            # Something quieter may play by now than when it was judged.
            louder = check_jump(loudest_db, self._limits, self._levels.lowest_db(now))
            if louder is not None:
                return _refused(publication, louder)
        self.current = self._to_write = publication
        return Write(publication.program, rewrite_config=self._config_is_due)

    def _written(self, publication: Publication, now: float) -> Conclusion:
        report = publication.report
        self.playing = Playing(
            fingerprint(publication.program),
            None if publication.call is None else publication.session,
            publication.call,
            publication.snapshot,
            report.seconds if report else None,
            report.controls if report else (),
            publication.assessment.level_db,
            report.load if report else None,
        )
        self._levels.plays(self.playing.level_db, now)
        cost = cost_seconds(
            self.playing.compile_seconds,
            publication.assessment.rt60_seconds,
            cost_multiple=self._cost_multiple,
            let_ring=self._let_ring,
        )
        self.last_reload = LastReload(now, cost)
        self.reloads += 1
        self._config_is_due = False
        return Conclusion(publication, Reason.PUBLISHED, self._dsp_path)


def _refused(publication: Publication, refusal: Refusal) -> Conclusion:
    return Conclusion(publication, refusal.reason, refusal.detail)
