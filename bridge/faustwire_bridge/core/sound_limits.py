"""How loud and how heavy a program may be, and what is known of it before it plays. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from faustwire.limits import MIN_CHANGE_DB
from faustwire.messages import Reason
from faustwire_bridge.core.compile_report import Report
from faustwire_bridge.core.refusal import Refusal

# A loop that rings for a minute peaks 50 dB above its input, at frequencies a fraction of a hertz
# wide; nothing that is meant to be heard goes beyond.
MAX_GAIN_DB = 60.0
# From a comfortable 70 dB SPL to 100 dB, which ears may be exposed to for a quarter of an hour
# (NIOSH 98-126: 85 dB for eight hours, half of that for each 3 dB): time to turn it down. 40 dB
# more would be 110 dB, a minute and a half. Less could refuse networks of 64 lines at their first
# publish: some of 32 have 22 dB.
MAX_JUMP_DB = 30.0
# A jump is measured from the quietest that has played for so long. Who hears 100 dB SPL needs a
# second or two to turn it down.
JUMP_SECONDS = 5.0
# A step from one program to the next that is no part of a jump: at most twice as loud. So a model
# may learn to be louder, at any pace.
GRADUAL_DB = 6.1
# Of one core. The plugin runs on the audio thread, beside the rest of the DAW, and what drops out
# does so until the next program.
MAX_LOAD = 0.7


@dataclass(frozen=True)
class Limits:
    """How loud and how heavy a program may be, and how much like the one that plays.

    Attributes:
        allow_unstable: publish models whose output grows without bound.
        max_gain_db: largest gain from any input to any output at any frequency, in dB.
        max_jump_db: largest increase in level over all that has played for ``JUMP_SECONDS``, or
            over unity gain where that is more or what plays is not known, in dB.
        max_load: processor time that a second of sound may take, as a part of one core.
        min_change_db: change of the response, in dB of it, below which a program is not written;
            None: every other program is.
    """

    allow_unstable: bool = False
    max_gain_db: float = MAX_GAIN_DB
    max_jump_db: float = MAX_JUMP_DB
    max_load: float = MAX_LOAD
    min_change_db: float | None = MIN_CHANGE_DB


@dataclass(frozen=True)
class Assessment:
    """What is known of a model's sound before it plays.

    Attributes:
        refusal: why it is not published; None: nothing is wrong with it.
        warnings: what people should know, one line each.
        peak_db, margin_db, rt60_seconds: as in ``faustwire.messages.Verdict``.
        level_db: RMS gain in its first tenth of a second, in the loudest octave, in dB, or a lower
            bound on it where an upper bound passed the limits; None: not known, or silence.
        loudest_db: the same, or the upper bound on it.
        certain: whether the analysis came to a result; if not, libfaust plays a second of noise.
    """

    refusal: Refusal | None = None
    warnings: tuple[str, ...] = ()
    peak_db: float | None = None
    margin_db: float | None = None
    rt60_seconds: float | None = None
    certain: bool = True
    level_db: float | None = None
    loudest_db: float | None = None


def to_db(gain: float) -> float:
    """A gain that is not negative, in dB; -inf for silence, and what is no number stays none."""
    return 20 * math.log10(gain) if gain else -math.inf


def check_played(report: Report, limits: Limits, playing_db: float | None) -> Refusal | None:
    """Compare what was heard of a program that was played with the limits.

    A jump is one with the knobs at rest: what happens when one is turned is the doing of whoever
    turns it, below the largest gain.

    Args:
        report: of a program that may have been played.
        limits: how loud it may be.
        playing_db: level that a jump is measured from, in dB; None: not known.

    Returns:
        Why it is not published; None: nothing is wrong with it.
    """
    if report.peak is None:
        return None
    where = f", played {report.peak_in}," if report.peak_in else ""
    if not math.isfinite(report.peak):
        if limits.allow_unstable:
            return None
        return Refusal(
            Reason.UNSTABLE,
            "it grew, overflowed or was no number"
            f"{where.rstrip(',') or ' when it was played'}: lower a feedback, keep divisors from "
            "zero, or say --allow-unstable",
        )
    level = report.peak if report.level is None else report.level
    return check_gain(to_db(report.peak), to_db(level), limits, playing_db, where)


def check_load(load: float, limits: Limits) -> Refusal | None:
    """Compare what a program costs to run with the limit.

    Args:
        load: processor time that a second of sound takes, as a part of one core.
        limits: how heavy it may be.

    Returns:
        Why it is not published; None: nothing is wrong with it.
    """
    if load <= limits.max_load:
        return None
    return Refusal(
        Reason.TOO_HEAVY,
        f"it takes {100 * load:.0f} % of a core to run and the limit is "
        f"{100 * limits.max_load:.0f} %, so the plugin would drop out for good: shorten its FIRs, "
        "use fewer lines or channels, or raise --max-load",
    )


def inaudible(change_db: float | None, limits: Limits) -> str | None:
    """Compare the change of the response with the limit.

    Args:
        change_db: in dB of the response that plays; None: nothing was compared.
        limits: how much nobody hears.

    Returns:
        Why it is not published; None: it is heard, or may be.
    """
    least_db = limits.min_change_db
    if change_db is None or least_db is None or change_db >= least_db:
        return None
    return (
        f"the response differs from what plays by {change_db:.0f} dB at most, and less than "
        f"{least_db:g} dB is not heard (--min-change-db)"
    )


def check_gain(
    peak_db: float, level_db: float, limits: Limits, playing_db: float | None, where: str = ""
) -> Refusal | None:
    """Compare how loud a program is with the limits.

    Args:
        peak_db: largest gain from any input to any output, in dB; -inf for silence.
        level_db: its level, in dB; -inf for silence.
        limits: how loud it may be.
        playing_db: level that a jump is measured from, in dB; None: not known, which counts as
            unity gain.
        where: it peaks, for people, between commas.

    Returns:
        Why it is not published; None: nothing is wrong with it.
    """
    loudest_db = max(peak_db, level_db)
    if loudest_db > limits.max_gain_db:
        return Refusal(
            Reason.TOO_LOUD,
            f"it peaks at {loudest_db:.1f} dB{where} and the limit is {limits.max_gain_db:g} dB: "
            "lower its gain, or raise --max-gain-db",
        )
    return check_jump(level_db, limits, playing_db)


def check_jump(level_db: float, limits: Limits, playing_db: float | None) -> Refusal | None:
    """Compare how much louder a program is than what plays with the limit.

    Args:
        level_db: its level, in dB; -inf for silence.
        limits: how loud it may be.
        playing_db: level that a jump is measured from, in dB; None: not known, which counts as
            unity gain.

    Returns:
        Why it is not published; None: nothing is wrong with it.
    """
    # It may come out of silence: only what is above unity gain counts.
    reference_db = max(playing_db or 0.0, 0.0)
    jump_db = level_db - reference_db
    if jump_db > limits.max_jump_db:
        than = f"the quietest of the last {JUMP_SECONDS:g} s" if reference_db else "unity gain"
        return Refusal(
            Reason.TOO_LOUD,
            f"it is {jump_db:.1f} dB louder than {than} and the limit is {limits.max_jump_db:g} "
            f"dB: lower its gain, raise it in steps of {GRADUAL_DB:.0f} dB or {JUMP_SECONDS:g} s "
            "apart, or raise --max-jump-db",
        )
    return None
