"""What can't be played is refused, with the path in the model and the reason."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from flamo.auxiliary.reverb import parallelFDNPEQ
from flamo.auxiliary.velvet import VelvetNoiseFilter
from flamo.processor import dsp, system
from torch import nn

from faustwire.errors import NonFiniteError
from faustwire.graph import Gain, Node
from faustwire_publisher.lowering import ModelError, RefusalError, lower, lowers, rule_of, values
from flamo_filters import make
from flamo_models import DOUBLE, decay, delays, fdn, gain, given_sos, mixing, parts, shell

torch.set_num_threads(1)


class Louder(dsp.Gain):  # type: ignore[misc]
    """A subclass with other maths."""

    def forward(self, x: torch.Tensor, ext_param: Any = None) -> torch.Tensor:
        louder: torch.Tensor = 2 * super().forward(x, ext_param)
        return louder


class Renamed(dsp.Gain):  # type: ignore[misc]
    """A subclass that changes nothing."""


class Unheard(nn.Module):
    """Nothing that FLAMO knows."""

    input_channels = output_channels = 2


def refusal(model: Any) -> ModelError:
    with pytest.raises(ModelError) as refused:
        lower(model)
    assert str(refused.value) == f"at {refused.value.path}: {refused.value.problem}"
    return refused.value


def with_sections(*sections: list[float]) -> dsp.parallelSOSFilter:
    leaf = dsp.parallelSOSFilter((2,), n_sections=len(sections), **DOUBLE)
    leaf.param.data[:, :, 1] = torch.tensor(sections, dtype=torch.float64)
    return leaf


def test_a_subclass_is_refused_with_its_path_and_what_to_do() -> None:
    model = shell(fdn(2, absorption=Louder((2, 2), **DOUBLE)))
    error = refusal(model)
    assert error.path == "model.core.feedback_loop.feedforward.absorption"
    assert "subclass of Gain" in error.problem
    assert "lowers(Louder)" in error.problem


def test_an_unknown_module_is_refused_with_its_path_and_what_to_do() -> None:
    error = refusal(nn.Sequential(gain(2, 2), Unheard()))
    assert error.path == "model.1"
    assert "Unheard" in error.problem
    assert "lowers(Unheard)" in error.problem


def test_a_rule_makes_a_subclass_publishable() -> None:
    @lowers(Louder)
    def louder(module: Louder, name: str) -> Node:
        return Gain(name, 2 * values(module.map(module.param)))

    leaf = Louder((2, 2), **DOUBLE)
    graph = lower(leaf)
    assert isinstance(graph, Gain)
    assert graph.matrix.tolist() == (2 * leaf.param).tolist()


def test_a_subclass_that_changes_nothing_can_take_its_bases_rule() -> None:
    lowers(Renamed)(rule_of(dsp.Gain))
    leaf = Renamed((2, 2), **DOUBLE)
    graph = lower(leaf)
    assert isinstance(graph, Gain)
    assert graph.matrix.tolist() == leaf.param.tolist()
    with pytest.raises(KeyError, match="Linear"):
        rule_of(nn.Linear)


def test_the_path_is_named_whatever_a_rule_raises() -> None:
    class Broken(nn.Module):
        pass

    @lowers(Broken)
    def broken(_module: Broken, _name: str) -> Node:
        raise ZeroDivisionError("no luck")

    error = refusal(nn.Sequential(gain(2, 2), nn.Sequential(Broken())))
    assert error.path == "model.1.0"
    assert "no luck" in error.problem

    @lowers(Broken)
    def refused(_module: Broken, _name: str) -> Node:
        raise RefusalError("not today")

    assert refusal(nn.Sequential(Broken())).problem == "not today"


def test_a_map_that_fails_is_named() -> None:
    leaf = gain(2, 2)
    leaf.map = lambda raw: raw @ torch.ones(5, 5, dtype=torch.float64)
    assert refusal(parts(one=leaf)).path == "model.one"


def test_a_map_of_another_size_is_refused() -> None:
    leaf = gain(2, 2)
    leaf.map = lambda raw: torch.cat((raw, raw), dim=1)
    assert "[2, 4]" in refusal(leaf).problem


def test_a_matrix_of_a_size_that_flamo_gets_wrong_is_refused() -> None:
    # FLAMO makes a Hadamard matrix of 6 into one of 8.
    assert "it has 6 input channels" in refusal(mixing(6, "hadamard")).problem


def test_complex_values_are_refused() -> None:
    leaf = gain(2, 2)
    leaf.map = lambda raw: raw * 1j
    assert "complex" in refusal(leaf).problem


@pytest.mark.parametrize(
    "loop",
    [
        lambda: system.Recursion(fF=gain(2, 2), fB=gain(2, 2)),
        lambda: system.Recursion(fF=delays(0, 3), fB=gain(2, 2)),
        lambda: system.Recursion(fF=given_sos(2, 1), fB=parts(a=decay(2), b=gain(2, 2))),
        lambda: system.Recursion(
            fF=system.Recursion(fF=delays(3, 4), fB=gain(2, 2)),
            fB=system.Recursion(fF=gain(2, 2), fB=delays(3, 4)),
        ),
    ],
)
def test_a_loop_without_delay_is_refused(loop: Any) -> None:
    model = parts(before=decay(2), loop=loop())
    if isinstance(model.loop.feedforward, system.Recursion):
        assert lower(model)  # a delay in the inner loop is one in the outer
        return
    error = refusal(model)
    assert error.path == "model.loop"
    assert "without delay" in error.problem


def test_a_loop_without_delay_inside_another_is_found() -> None:
    inner = system.Recursion(fF=gain(2, 2), fB=decay(2))
    error = refusal(
        parts(outer=system.Recursion(fF=parts(d=delays(3, 4), inner=inner), fB=decay(2)))
    )
    assert error.path == "model.outer.feedforward.inner"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_an_error_of_their_own(value: float) -> None:
    model = fdn(2)
    model.feedback_loop.feedforward.absorption.assign_value(
        torch.tensor([0.9, value], dtype=torch.float64)
    )
    with pytest.raises(NonFiniteError) as refused:
        lower(model)
    assert refused.value.path == "model.feedback_loop.feedforward.absorption"
    assert f"its parameter param[1] is {value}: the training has diverged" in refused.value.problem


def test_a_map_that_gives_no_number_is_told_from_a_parameter_that_is_none() -> None:
    leaf = gain(2, 2)
    leaf.map = lambda raw: torch.sqrt(-raw.abs())
    with pytest.raises(NonFiniteError) as refused:
        lower(parts(one=leaf))
    assert refused.value.path == "model.one"
    assert "matrix[0, 0] is nan: its parameters are finite" in refused.value.problem
    assert "clamp what goes into it" in refused.value.problem


def test_sections_that_are_not_finite_are_not_called_unstable() -> None:
    with pytest.raises(NonFiniteError):
        lower(with_sections([float("nan"), 0, 0, 1, 0, 0]))


def test_a_design_that_comes_out_as_nan_is_not_finite() -> None:
    lines = torch.tensor([593.0, 1201.0], dtype=torch.float64)
    leaf = parallelFDNPEQ(delays=lines, design="biquad", is_proportional=True, **DOUBLE)
    with pytest.raises(NonFiniteError) as refused:
        lower(parts(eq=leaf))
    assert refused.value.path == "model.eq"
    problem = refused.value.problem
    assert re.match(r"section \d of channel \d has no filter: its parameters are finite", problem)
    assert re.search(r"resonance [\d.]+, gain -[\d.e+]+ = -[\d.]+ · (593|1201) samples", problem)
    assert "gains that single precision holds" in problem
    leaf.param.data[0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"its parameter param\[0, 0, 0\] is nan"):
        lower(leaf)


def test_a_negative_delay_is_refused() -> None:
    error = refusal(parts(one=delays(3, -4)))
    assert error.path == "model.one"
    assert "-4" in error.problem


def test_a_delay_too_long_is_refused() -> None:
    assert "2097153 samples" in refusal(delays(2**21 + 1)).problem.replace("2.09715e+06", "2097153")


@pytest.mark.parametrize(
    "denominator",
    [
        [1.0, -1.0, 0.0],  # an integrator
        [1.0, 0.0, 1.0],  # rings for ever
        [1.0, -2.1, 1.2],
        [0.5, -0.5, 0.0],
    ],
)
def test_an_unstable_section_is_refused_by_section_and_channel(denominator: list[float]) -> None:
    error = refusal(parts(eq=with_sections([1, 0, 0, 1, 0, 0], [1, 0.5, 0, *denominator])))
    assert error.path == "model.eq"
    assert "section 1 of channel 1 is unstable" in error.problem


def test_an_unstable_section_of_a_matrix_is_named_by_output_and_input() -> None:
    leaf = dsp.SOSFilter((2, 3), n_sections=1, **DOUBLE)
    leaf.param.data[0, 4:, 1, 2] = torch.tensor([-2.0, 1.0])
    assert "section 0 of output 1 input 2" in refusal(leaf).problem


def test_a_shelf_above_half_the_sample_rate_is_unstable() -> None:
    leaf = dsp.parallelGEQ((1,), fs=44_100, **DOUBLE)
    assert "unstable" in refusal(leaf).problem


def test_poles_on_the_circle_that_zeros_cancel_are_a_gain() -> None:
    graph = lower(with_sections([0.5, -0.5, 0, 1, -1, 0]))
    assert graph.sections[0, :, 1].tolist() == [0.5, 0, 0, 1, 0, 0]  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "cutoff"), [("lowpass", 0.0), ("highpass", 1.0)])
def test_a_filter_that_lets_nothing_through_is_silence(kind: str, cutoff: float) -> None:
    leaf = dsp.parallelBiquad((2,), filter_type=kind, **DOUBLE)
    leaf.param.data[:, 0] = cutoff
    assert lower(leaf).sections[:, :3].any() == False  # type: ignore[union-attr]  # noqa: E712


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "cutoff"), [("lowpass", 1.5), ("highpass", -0.5)])
def test_a_filter_that_lets_all_through_is_a_gain(
    kind: str, cutoff: float, dtype: torch.dtype
) -> None:
    leaf = dsp.parallelBiquad((2,), filter_type=kind, **DOUBLE | {"dtype": dtype})
    leaf.param.data[:, 0] = cutoff
    leaf.param.data[:, 1] = 0.5
    sections = lower(leaf).sections  # type: ignore[union-attr]
    assert sections[0, 0].tolist() == pytest.approx([0.5, 0.5], rel=1e-6)
    assert not sections[:, [1, 2, 4, 5]].any()


def test_velvet_noise_is_read_from_what_the_model_last_used() -> None:
    leaf = VelvetNoiseFilter((64, 2, 2), density=6000, nfft=256, alias_decay_db=30)
    assert "run the model once" in refusal(leaf).problem
    drawn = torch.fft.irfft(leaf.freq_response(leaf.param), n=256, dim=0)[:64]
    state = torch.get_rng_state()
    taps = lower(leaf).taps  # type: ignore[union-attr]
    damping = leaf.gamma ** torch.arange(64)[:, None, None]
    assert abs(taps - (drawn / damping).detach().numpy()).max() < 1e-4
    assert set(taps.ravel().tolist()) == {-1.0, 0.0, 1.0}
    assert torch.equal(state, torch.get_rng_state())
    leaf.set_nfft(512)
    assert "nfft has changed" in refusal(leaf).problem


def test_a_model_that_does_nothing_is_refused() -> None:
    assert refusal(nn.Sequential(nn.Identity())).path == "model"


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lower(make("fdn with geqs"))


def test_a_graphic_equaliser_whose_band_reaches_too_high_is_told_the_cause() -> None:
    torch.manual_seed(0)
    leaf = dsp.parallelGEQ((1,), fs=44100, **DOUBLE)
    problem = refusal(leaf).problem
    assert "unstable" in problem
    assert "upper edge (22627 Hz)" in problem
    assert "fs=44100" in problem
    lower(dsp.parallelGEQ((1,), fs=48000, **DOUBLE))
    torch.manual_seed(0)
    problem = refusal(dsp.parallelPEQ((2,), fs=16000, **DOUBLE)).problem
    assert "unstable" in problem
    assert "the cause is that its bands reach up to f_max=20000 Hz, above half of its fs=16000" in (
        problem
    )
