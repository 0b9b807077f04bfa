"""Numbers at the edges of double precision get a verdict, whatever they do to the computing."""

from __future__ import annotations

import numpy as np
import pytest

from faustwire.codec import encode
from faustwire.graph import SOS, Gain, Series
from faustwire.messages import Reason, Snapshot
from faustwire_bridge.analysis.judgement import judge
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.sound_limits import Limits


def judged(a1: float, a2: float, b1: float = 0.5, gain: float = 1.0) -> Judged:
    sections = np.array([1.0, b1, 0.0, 1.0, a1, a2]).reshape(1, 6, 1)
    graph = Series("all", (SOS("filter", sections), Gain("gain", np.full((1, 1), gain))))
    message = encode(Snapshot(1, 1, 48_000.0, graph))
    return judge(message, limits=Limits(), playing=None, playing_db=None)


def reason(found: Judged) -> Reason | None:
    refusal = found.refusal or (found.assessment and found.assessment.refusal)
    return refusal.reason if refusal else None


@pytest.mark.parametrize("a2", [2.0, 1e8, 1e17, 1e155, 1e300])
@pytest.mark.parametrize("a1", [0.0, 1.0, -1e3])
def test_a_filter_far_outside_the_circle_is_unstable(a1: float, a2: float) -> None:
    """From 1e17 on, 1 − a2 has no digit left of the 1, by which something was divided."""
    assert reason(judged(a1, a2)) is Reason.UNSTABLE
    assert reason(judged(-0.5, 0.2)) is None


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_numbers_there_is_a_verdict(seed: int) -> None:
    dice = np.random.default_rng(seed)
    a1, a2, b1, gain = dice.choice([-1.0, 1.0], 4) * 10 ** dice.uniform(-320, 308, 4)
    found = judged(float(a1), float(a2), float(b1), float(gain))
    assert found.refusal is not None or found.assessment is not None
