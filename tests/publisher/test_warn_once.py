"""A warning never stops a training, wherever the call stands."""

from __future__ import annotations

import pytest

from faustwire.messages import MAY_CRASH, Reason, Verdict
from faustwire_publisher import warn_once
from faustwire_publisher.errors import FaustwireWarning
from faustwire_publisher.warn_once import WarnOnce
from notices import recorded_warnings


def test_a_warning_for_code_that_runs_without_a_module_is_a_warning() -> None:
    """Notebooks' cells and ``exec`` may have globals without ``__name__``."""
    with pytest.warns(FaustwireWarning, match="told"):
        exec("tell('told')", {"tell": warn_once._tell})  # noqa: S102


def test_that_a_daw_may_crash_is_told_once() -> None:
    warner = WarnOnce()
    verdict = Verdict(1, True, Reason.PUBLISHED, warnings=("/live/a: gone", f"{MAY_CRASH}knobs"))
    with recorded_warnings() as told:
        warner.of_crashes(Verdict(1, True, Reason.PUBLISHED, warnings=("/live/a: gone",)))
        warner.of_crashes(verdict)
        warner.of_crashes(verdict)
    assert told == ["what was published may crash the DAW: knobs"]
