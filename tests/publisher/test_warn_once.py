"""A warning never stops a training, wherever the call stands."""

from __future__ import annotations

import pytest

from faustwire_publisher import warn_once
from faustwire_publisher.errors import FaustwireWarning


def test_a_warning_for_code_that_runs_without_a_module_is_a_warning() -> None:
    """Notebooks' cells and ``exec`` may have globals without ``__name__``."""
    with pytest.warns(FaustwireWarning, match="told"):
        exec("tell('told')", {"tell": warn_once._tell})  # noqa: S102
