"""A small fuzz of the gates with every run; `make soak-gates` is the large one."""

from __future__ import annotations

from contextlib import closing

import pytest

from faustwire.messages import Reason
from gate_fuzz import Fuzz


@pytest.mark.parametrize("calls", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_nothing_that_harms_the_plugin_is_ever_written(calls: int) -> None:
    with closing(Fuzz(seed=7)) as fuzz:
        for _ in range(calls):
            fuzz.step()
    met = set(fuzz.reasons)
    assert fuzz.reasons[str(Reason.PUBLISHED)] > calls / 8
    for reason in (
        Reason.REFUSED,
        Reason.UNSTABLE,
        Reason.TOO_LOUD,
        Reason.MISFIT,
        Reason.DOES_NOT_COMPILE,
    ):
        assert str(reason) in met, "the fuzz reaches every gate"
