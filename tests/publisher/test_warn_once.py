"""A warning never stops a training, wherever the call stands."""

from __future__ import annotations

import pytest

from faustwire.messages import MAY_CRASH, Reason, Verdict, Welcome
from faustwire_publisher import warn_once
from faustwire_publisher.errors import FaustwireWarning
from faustwire_publisher.warn_once import WarnOnce
from recorded_warnings import recorded_warnings


def test_a_warning_for_code_that_runs_without_a_module_is_a_warning() -> None:
    """Notebooks' cells and ``exec`` may have globals without ``__name__``."""
    with pytest.warns(FaustwireWarning, match="told"):
        exec("tell('told')", {"tell": warn_once._tell})  # noqa: S102


def test_what_others_have_said_cannot_play_tricks_on_the_trainings_terminal() -> None:
    warner = WarnOnce()
    with recorded_warnings() as told:
        warner.take(Verdict(1, False, Reason.REFUSED, "\x1b[2J\x07"))
        warner.of_differences(Welcome(1, "here", "/tmp/live.dsp"), ["records to \x1b]0;x\x07"])
        warner.take(Verdict(1, False, Reason.UNSTABLE, "a plain cause"))
    assert len(told) == 3
    assert "".join(told).isprintable()
    assert "\\x1b[2J" in told[0]
    assert told[2] == "not published (unstable): a plain cause; the training goes on"


def test_that_a_daw_may_crash_is_told_once() -> None:
    warner = WarnOnce()
    verdict = Verdict(1, True, Reason.PUBLISHED, warnings=("/live/a: gone", f"{MAY_CRASH}knobs"))
    with recorded_warnings() as told:
        warner.of_crashes(Verdict(1, True, Reason.PUBLISHED, warnings=("/live/a: gone",)))
        warner.of_crashes(verdict)
        warner.of_crashes(verdict)
    assert told == ["what was published may crash the DAW: knobs"]
