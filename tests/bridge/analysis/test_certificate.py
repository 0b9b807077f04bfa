"""``certify``: what is proven of a config, in the reference's words where they mean the same."""

from __future__ import annotations

import inspect
import json
import math
from typing import Any

import adac
import numpy as np
import pytest

from faustwire import certify
from faustwire.config_file import to_json
from faustwire.controls import ControlError
from faustwire.errors import GraphError
from faustwire.graph import FIR, SOS, Delay, Gain, Node, Parallel, Recursion, Series
from graphs import fdn

FS = 48_000
M = 480


def comb(gain: float) -> Node:
    """y(n) = x(n) + gain · y(n − 480): all that is to be proven of it is known."""
    feedback = Series("back", (Delay("delay", np.array([M])), Gain("gain", np.array([[gain]]))))
    return Series("comb", (Recursion("loop", Gain("one", np.array([[1.0]])), feedback),))


def certified(graph: Node, **options: Any) -> dict[str, Any]:
    found = certify(to_json(graph, FS, "model"), **options)
    json.dumps(found)
    return found


def test_the_figures_of_a_comb_are_those_of_the_textbook() -> None:
    found = certified(comb(0.9), exact_decay=True)
    assert found["verdict"] == "certified-stable"
    assert found["margin_db"] == pytest.approx(-20 * math.log10(0.9), rel=1e-6)
    assert found["rt60_exact"]
    assert found["rt60_seconds"] == pytest.approx(-3 * M / FS / math.log10(0.9), rel=0.02)
    assert found["peak_db"] == pytest.approx(20, abs=0.01)
    harmonic = found["peak_hz"] / (FS / M)
    assert harmonic == pytest.approx(round(harmonic), abs=1e-3)
    (loop,) = found["loops"]
    assert (loop["name"], loop["delays_samples"]) == ("comb.loop", [M])
    assert loop["proof"] == "its gain is below one at every frequency"


@pytest.mark.parametrize(
    ("gain", "verdict", "detail"),
    [
        (1.0, "marginal", "comb.loop neither decays nor grows"),
        (1.1, "unstable", "comb.loop grows"),
    ],
)
def test_what_does_not_decay_has_no_decay_time_and_no_peak(
    gain: float, verdict: str, detail: str
) -> None:
    found = certified(comb(gain))
    assert found["verdict"] == verdict
    assert found["detail"].startswith(detail)
    assert (found["rt60_seconds"], found["peak_db"]) == (None, None)


def kept_down_by_a_delay() -> Node:
    """A path that grows by itself, and a delay that takes that much away, unless a knob is turned.

    The knob attenuates delays only.
    """
    paths = (
        FIR("grows", np.array([[0.0], [1.002]])),
        Delay("takes away", np.array([200.0]), np.array([-0.0026])),
    )
    one = Gain("one", np.array([[1.0]]))
    return Series("all", (Recursion("loop", Parallel("paths", paths), one),))


def test_a_loop_whose_gain_exceeds_one_is_decided_all_the_same() -> None:
    """At some frequencies, where no mode lies; the reference can't tell."""
    found = certified(kept_down_by_a_delay())
    assert found["verdict"] == "certified-stable"
    assert found["margin_db"] < 0
    assert "counted" in found["loops"][0]["proof"]


def test_a_loop_that_grows_at_one_position_of_its_knob_is_unstable() -> None:
    found = certified(kept_down_by_a_delay(), controls={"rt60": True})
    assert found["verdict"] == "unstable"
    assert "with the rt60 knob at 0.1 s" in found["detail"]
    assert found["rt60_knob"]["worst_position_seconds"] == 0.1


def test_all_sections_are_told_and_the_worst_speaks_for_the_model() -> None:
    def section(radius: float) -> SOS:
        return SOS("tone", np.array([1, 0, 0, 1, -2 * radius, radius**2])[None, :, None])

    found = certified(Series("chain", (comb(0.5), section(0.5), section(1.001))))
    assert found["verdict"] == "unstable"
    assert found["detail"].startswith("chain.tone grows")
    assert found["filters"]["n_sections"] == 2
    assert found["filters"]["max_pole_modulus"] == pytest.approx(1.001, rel=1e-3)
    assert not found["filters"]["all_sections_stable"]
    assert certified(Series("chain", (section(0.5),)))["filters"]["all_sections_stable"]


def test_what_rings_nowhere_is_stable() -> None:
    found = certified(Gain("gain", np.array([[2.0]])))
    assert (found["verdict"], found["detail"]) == ("certified-stable", "nothing in it rings")
    assert found["peak_db"] == pytest.approx(20 * math.log10(2))
    assert (found["margin_db"], found["rt60_seconds"], found["loops"]) == (None, None, [])


def test_an_rt60_knob_makes_a_lossless_loop_decay_but_at_its_neutral_end() -> None:
    found = certified(comb(1.0), controls={"rt60": {"init": 2.0, "max": 5.0}})
    assert found["verdict"] == "certified-stable"
    assert found["rt60_knob"]["worst_position_seconds"] == 5.0
    assert found["rt60_seconds"] == pytest.approx(5.0, rel=0.02)
    neutral = certified(comb(1.0), controls={"rt60": True})
    assert neutral["verdict"] == "marginal"
    assert "with the rt60 knob at its neutral end" in neutral["detail"]
    assert neutral["rt60_knob"]["worst_position_seconds"] == 10.0


def test_controls_of_the_call_override_those_of_the_config() -> None:
    config = to_json(comb(1.0), FS, "model") | {"controls": {"rt60": {"init": 2.0}}}
    assert certify(config)["verdict"] == "certified-stable"
    assert certify(config, controls={"rt60": False})["verdict"] == "marginal"


def test_what_only_double_precision_holds_is_not_certified() -> None:
    huge = Series("m", (Gain("up", np.array([[1e200]])), Gain("down", np.array([[1e-200]]))))
    found = certified(huge)
    assert found["verdict"] == "not-certified"
    assert "beyond single precision" in found["single_precision"]
    assert found["detail"] == found["single_precision"]


def test_it_is_called_as_the_references_is() -> None:
    theirs = inspect.signature(adac.certify).parameters
    ours = inspect.signature(certify).parameters
    assert [(name, theirs[name].kind) for name in theirs] == [
        (name, ours[name].kind) for name in theirs
    ]
    found = certify(to_json(fdn(), FS, "model"), n_freq=16, controls=None)
    assert {"name", "fs", "generated_by", "method", "precision", "verdict", "filters", "loops"} <= (
        found.keys()
    )


def test_a_broken_config_is_an_error_with_its_path() -> None:
    config = to_json(fdn(), FS, "model")
    with pytest.raises(ControlError, match="rt61"):
        certify(config, controls={"rt61": True})
    config["graph"]["nodes"][0]["matrix"] = [["a"]]
    with pytest.raises(GraphError, match=r"fdn\.input_gain"):
        certify(config)
