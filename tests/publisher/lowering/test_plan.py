"""A model that is lowered by a plan gives the graph, or the error, that it gives the first time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from flamo.processor import dsp, system

from faustwire import codec, graph
from faustwire.errors import GraphError
from faustwire.messages import Snapshot
from faustwire_publisher.lowering import Lowerings, ModelError, lower, lowers, rule_of, values
from flamo_models import DELAYS, DOUBLE, FS, delays, gain, given_sos, mixing, parts, shell

torch.set_num_threads(1)


class Network:
    """A feedback delay network with a trained matrix, and the leaves that tests change."""

    def __init__(self) -> None:
        self.lines = delays(*DELAYS[:4])
        self.matrix = mixing(4, requires_grad=True)
        self.filters = given_sos(4, 1)
        self.back = parts(mixing=self.matrix, filters=self.filters)
        self.loop = system.Recursion(fF=self.lines, fB=self.back)
        self.out = gain(1, 4, requires_grad=True)
        self.series = parts(into=gain(4, 1), loop=self.loop, out=self.out)
        self.model = shell(self.series)

    def step(self) -> None:
        """As an optimiser does."""
        with torch.no_grad():
            self.matrix.param.add_(0.01)
            self.out.param.mul_(0.99)


def sent(node: graph.Node) -> bytes:
    return codec.encode(Snapshot(1, 1, FS, node))


def planned(network: Network) -> Lowerings:
    lowerings = Lowerings(FS)
    lowerings.lower(network.model)
    network.step()
    return lowerings


def delay_lines(node: graph.Node) -> graph.Leaf:
    return next(leaf for leaf in graph.leaves(node) if isinstance(leaf, graph.Delay))


def test_only_what_has_moved_is_lowered() -> None:
    network = Network()
    lowerings = planned(network)
    first, second = (lowerings.lower(network.model).graph for _ in range(2))
    assert delay_lines(first) is delay_lines(second)
    assert sent(second) == sent(lower(network.model))


def test_what_is_deferred_is_as_it_was_at_the_call() -> None:
    network = Network()
    lowerings = planned(network)
    later, now = lowerings.defer(network.model), sent(lower(network.model))
    assert later is not None
    network.step()
    with torch.no_grad():
        network.filters.param.mul_(0.5)
    assert sent(later()) == now
    after = lowerings.defer(network.model)
    assert after is not None
    assert sent(after()) == sent(lower(network.model))


def whole_numbers(network: Network) -> None:
    network.lines.isint = False
    network.lines.param.data.add_(0.001)


def other_filters(network: Network) -> None:
    network.back._modules["filters"] = given_sos(4, 2)


def renamed(network: Network) -> None:
    network.back._modules = OrderedDict(mixing=network.matrix, other=network.filters)


def renamed_in_place(network: Network) -> None:
    network.back._modules["other"] = network.back._modules.pop("filters")


def reordered(network: Network) -> None:
    network.back._modules["mixing"] = network.back._modules.pop("mixing")


def another_map(network: Network) -> None:
    network.matrix.map = lambda raw: 0.1 * raw


def a_parameter(network: Network) -> None:
    network.out.param = torch.nn.Parameter(torch.ones(1, 4, dtype=torch.float64))


CHANGES: dict[str, Callable[[Network], object]] = {
    "nothing": lambda _: None,
    "a fixed value": lambda network: network.filters.param.data.mul_(0.5),
    "the sign of a zero": lambda network: network.filters.param.data[:, 1].zero_().neg_(),
    "assigned values": lambda network: network.lines.assign_value(2 * network.lines.param.data),
    "a setting": whole_numbers,
    "a unit": lambda network: setattr(network.lines, "unit", 50),
    "a part": other_filters,
    "a name": renamed,
    "a name in place": renamed_in_place,
    "an order": reordered,
    "a part less": lambda network: network.back._modules.pop("filters"),
    "a map": another_map,
    "a parameter": a_parameter,
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changes_is_published(what: str) -> None:
    network = Network()
    lowerings = planned(network)
    CHANGES[what](network)
    expected = sent(lower(network.model))
    assert sent(lowerings.lower(network.model).graph) == expected
    later = lowerings.defer(network.model)
    if later is not None:
        assert sent(later()) == expected


def hooked(network: Network) -> None:
    network.out.register_forward_hook(lambda _module, _inputs, output: 0.5 * output)


def hooked_before(network: Network) -> None:
    network.loop.register_forward_pre_hook(lambda _module, inputs: inputs)


def replaced(network: Network) -> None:
    network.filters.freq_convolve = lambda x, _param: 0.5 * x


def diverged(network: Network) -> None:
    network.out.param.data[0, 2] = torch.nan


def without_delay(network: Network) -> None:
    network.lines.param.data.zero_()


def one_channel_more(network: Network) -> None:
    network.filters.param.data = given_sos(5, 1).param.data


WRONG: dict[str, Callable[[Network], object]] = {
    "a hook": hooked,
    "a hook before": hooked_before,
    "a replaced method": replaced,
    "no number": diverged,
    "a loop without delay": without_delay,
    "a channel more": one_channel_more,
}


@pytest.mark.parametrize("what", WRONG)
def test_whatever_is_wrong_is_told_as_the_first_time(what: str) -> None:
    network = Network()
    lowerings = planned(network)
    WRONG[what](network)
    with pytest.raises(GraphError) as first:
        lower(network.model)
    later = lowerings.defer(network.model)
    for again in (later, lambda: lowerings.lower(network.model)):
        if again is not None:
            with pytest.raises(type(first.value)) as second:
                again()
            assert str(second.value) == str(first.value)


@pytest.fixture
def own_rule() -> Iterator[None]:
    """Gains are halved while the test runs."""
    before = rule_of(dsp.Gain)

    @lowers(dsp.Gain)
    def half(leaf: Any, name: str) -> graph.Node:
        return graph.Gain(name, 0.5 * values(leaf.param))

    yield
    lowers(dsp.Gain)(before)


def test_a_rule_of_ones_own_takes_the_place_of_ours(request: pytest.FixtureRequest) -> None:
    network = Network()
    lowerings = planned(network)
    before = sent(lowerings.lower(network.model).graph)
    request.getfixturevalue("own_rule")
    expected = sent(lower(network.model))
    assert expected != before
    assert sent(lowerings.lower(network.model).graph) == expected


def test_another_model_is_another_plan() -> None:
    network, other = Network(), Network()
    lowerings = planned(network)
    for one in (other, network, other):
        assert sent(lowerings.lower(one.model).graph) == sent(lower(one.model))


def test_a_model_that_changes_at_each_call_is_deferred_all_the_same() -> None:
    network = Network()
    lowerings = planned(network)
    for call in range(20):
        network.model.call = call
        if lowerings.defer(network.model) is None:
            lowerings.lower(network.model)
    network.model.call = -1
    later = lowerings.defer(network.model)
    assert later is not None
    assert sent(later()) == sent(lower(network.model))


def test_a_model_with_a_map_of_its_own_is_never_deferred() -> None:
    leaf = dsp.Gain((2, 2), map=torch.tanh, **DOUBLE)
    lowerings = Lowerings(FS)
    for _ in range(20):
        assert sent(lowerings.lower(leaf).graph) == sent(lower(leaf))
        assert lowerings.defer(leaf) is None


def test_a_remark_is_made_at_each_call() -> None:
    lines = delays(*DELAYS[:2])
    lines.fs = 44100
    lowerings = Lowerings(FS)
    remarks = [lowerings.lower(parts(lines=lines)).remarks for _ in range(3)]
    assert remarks[0]
    assert remarks[1:] == remarks[:1] * 2


def test_a_model_that_is_none_is_refused_again() -> None:
    lowerings = planned(Network())
    for _ in range(2):
        with pytest.raises(ModelError):
            lowerings.lower(object())
