"""The change of a response: an upper bound on what a listener's ears could compare."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from faustwire.controls import Slider, sliders
from faustwire.graph import (
    FIR,
    SOS,
    Delay,
    Gain,
    Node,
    Parallel,
    Recursion,
    Series,
)
from faustwire_bridge.analysis.change import WrittenModel, change_db
from faustwire_bridge.analysis.judge_memory import WrittenModels
from faustwire_bridge.analysis.stability import classify
from faustwire_bridge.codegen import generate
from graph_response import impulse_response
from graphs import fdn, gain

FS = 48000.0
# What the figure may be above the difference of the whole impulse responses: it is the largest
# at any point, not the mean, and grows with the length of the tail.
SLACK_DB = 25.0


def sound(
    graph: Node, *, fs: float = FS, controls: Mapping[str, Slider] | None = None
) -> WrittenModel:
    program = generate(graph, fs=fs, controls=controls or {})
    return WrittenModel(program.text, graph, fs, controls or {})


def changed(before: Node, after: Node, **more: Any) -> float:
    rt60 = classify(after, fs=FS).rt60_seconds
    return change_db(sound(before, **more), sound(after, **more), rt60)


def moved(node: Node, by: float, random: np.random.Generator) -> Node:
    """The same graph with all its gains and coefficients moved by a relative amount."""

    def near(values: Any) -> Any:
        return values * (1 + by * random.standard_normal(values.shape))

    match node:
        case Series() | Parallel():
            return replace(node, nodes=tuple(moved(child, by, random) for child in node.nodes))
        case Recursion():
            forward, feedback = (
                moved(child, by, random) for child in (node.forward, node.feedback)
            )
            return replace(node, forward=forward, feedback=feedback)
        case Gain():
            return replace(node, matrix=near(node.matrix))
        case FIR():
            return replace(node, taps=near(node.taps))
        case SOS():
            sections = near(node.sections)
            sections[:, 3] = 1.0
            return replace(node, sections=sections)
        case _:
            return node


def comb(feedback: float, samples: float = 1000.0) -> Node:
    loop = Recursion("loop", Delay("d", np.array([samples])), gain(feedback))
    return Series("comb", (gain(0.9), loop))


def resonance(hertz: float, quality: float) -> Node:
    angle = 2 * np.pi * hertz / FS
    alpha = np.sin(angle) / (2 * quality)
    row = np.array([alpha, 0.0, -alpha, 1 + alpha, -2 * np.cos(angle), 1 - alpha]) / (1 + alpha)
    return SOS("resonance", row[None, :, None])


def reverb(lines: int) -> Node:
    """Rings for less than half a second."""
    random = np.random.default_rng(lines)
    matrix, _ = np.linalg.qr(random.standard_normal((lines, lines)))
    delays = random.choice(np.arange(200, 1000), lines, replace=False).astype(float)
    loop = Recursion("loop", Delay("delays", delays), Gain("matrix", 0.75 * matrix))
    ends = random.standard_normal((2, lines))
    return Series("reverb", (Gain("in", ends[:1].T), loop, Gain("out", ends[1:])))


def late() -> Node:
    """A direct sound, and a reverb that begins when the direct sound is long over."""
    after = Series("late", (Delay("pre", np.array([12000.0])), reverb(4)))
    return Parallel("both", (gain(3.0), after))


def models() -> Iterator[tuple[str, Node]]:
    random = np.random.default_rng(5)
    yield "reverb of 4", reverb(4)
    yield "reverb of 8", reverb(8)
    yield "comb", comb(0.9)
    yield "comb that rings for minutes", comb(0.9999)
    yield "short comb", comb(0.99, 37)
    yield "sharp resonance", resonance(12345.0, 1000.0)
    yield "reverb and a sharp resonance", Series("both", (reverb(4), resonance(9000.0, 500.0)))
    yield "direct and late", late()
    taps = random.standard_normal((60, 1)) * np.exp(-np.arange(60) / 20)[:, None]
    yield "fir", FIR("fir", taps)
    yield "gain", gain(0.7)


MODELS = dict(models())


def difference_db(before: Node, after: Node) -> float:
    """Of the impulse responses, as long as they ring, or for a second and a half."""
    seconds = classify(before, fs=FS).rt60_seconds or 0.1
    samples = int(min(1.2 * seconds + 0.3, 1.5) * FS)
    old, new = (impulse_response(graph, samples) for graph in (before, after))
    return 20 * math.log10(np.linalg.norm(new - old) / np.linalg.norm(old))


@pytest.mark.parametrize("name", MODELS)
def test_the_figure_bounds_the_difference_of_the_impulse_responses(name: str) -> None:
    """And is no more than some 25 dB above it, or what nobody hears would still be published."""
    before = MODELS[name]
    after = moved(before, 1e-7, np.random.default_rng(1))
    true, said = difference_db(before, after), changed(before, after)
    assert true - 0.1 < said, f"{true:.1f} dB"
    if name != "comb that rings for minutes":  # of which a second is a small part
        assert said < true + SLACK_DB, f"{true:.1f} dB"


def test_ten_times_the_change_is_twenty_decibels_more() -> None:
    before = fdn(8)
    random = np.random.default_rng
    by = [changed(before, moved(before, size, random(2))) for size in (1e-8, 1e-7, 1e-6)]
    assert np.diff(by) == pytest.approx([20, 20], abs=0.1)


def test_only_the_late_part_counts_as_well() -> None:
    """The control of "direct and late": the direct sound stays as it is."""
    before = late()
    assert isinstance(before, Parallel)
    reverb = moved(before.nodes[1], 1e-3, np.random.default_rng(3))
    after = replace(before, nodes=(before.nodes[0], reverb))
    assert changed(before, after) > difference_db(before, after) > -80


def test_the_same_model_does_not_differ() -> None:
    assert changed(fdn(8), fdn(8)) == -math.inf


def other_structures() -> Iterator[tuple[str, Node, Node]]:
    yield "a sample more", comb(0.5, 100.0), comb(0.5, 101.0)
    yield "another wiring", comb(0.5), Series("comb", (comb(0.5), gain(1 + 1e-9)))
    short, longer = (FIR("f", np.array([[0.5], *last])) for last in ([], [[1e-9]]))
    yield "a tap more", short, longer
    half = Delay("d", np.array([100.5]))
    yield "a delay that was whole", Delay("d", np.array([100.0])), half
    yield "more channels", Gain("g", np.full((2, 1), 0.5)), Gain("g", np.full((2, 2), 0.5))


@pytest.mark.parametrize(("before", "after"), [case[1:] for case in other_structures()])
def test_another_structure_is_never_alike(before: Node, after: Node) -> None:
    assert changed(before, after) == math.inf
    assert changed(before, moved(before, 1e-9, np.random.default_rng(4))) < -150


@pytest.mark.parametrize("special", [0.0, 1.0])
def test_values_of_which_programs_make_something_else_are_compared_all_the_same(
    special: float,
) -> None:
    """A gain that comes and goes at zero is no reason to reload, unless it is heard."""

    def model(value: float) -> Node:
        return Series("all", (Gain("g", np.array([[0.3, value]])), fdn(4)))

    before, tiny, heard = (model(special + by) for by in (0.0, 1e-9, 1e-2))
    assert sound(before).structure != sound(tiny).structure
    assert changed(before, tiny) < -120
    assert changed(before, heard) > -80


def test_another_range_of_a_knob_is_never_alike() -> None:
    narrow, wide = (sliders({"rt60": {"max": most}}) for most in (5.0, 10.0))
    before = sound(fdn(4), controls=narrow)
    after = moved(fdn(4), 1e-9, np.random.default_rng(4))
    assert change_db(before, sound(after, controls=narrow), 4.0) < -100
    assert change_db(before, sound(after, controls=wide), 4.0) == math.inf


def test_another_rate_is_never_alike() -> None:
    assert change_db(sound(fdn(4)), sound(fdn(4), fs=44100.0), 2.0) == math.inf


def test_with_an_rt60_knob_its_rest_is_looked_at_as_well() -> None:
    """Where the knob lets a loop die at once, what changes beside it is no longer covered by it."""
    before, after = (Parallel("both", (gain(beside), comb(0.999))) for beside in (0.001, 0.001001))
    knobs = sliders({"rt60": {"init": 0.1}})
    without = changed(before, after)
    assert without + 10 < changed(before, after, controls=knobs) < 0


def test_what_cannot_be_computed_is_no_small_change() -> None:
    before = Series("x", (gain(1e200), gain(1e200), fdn(4)))
    assert changed(before, moved(before, 1e-9, np.random.default_rng(7))) == math.inf


def test_what_left_and_right_hear_is_what_counts() -> None:
    """Four outputs whose sums, which the plugin plays, almost cancel."""
    matrix = np.array([[0.5], [0.3], [-0.499], [0.3]])
    moved_by = np.array([[1e-6], [0.0], [0.0], [0.0]])
    before, after = Gain("g", matrix), Gain("g", matrix + moved_by)
    left, right = 0.001, 0.6
    assert changed(before, after) == pytest.approx(20 * math.log10(1e-6 / left), abs=1.0)
    assert 20 * math.log10(left / right) > -60, "it is not below what is heard"


def test_what_plays_is_computed_once() -> None:
    made: list[bytes] = []
    sounds = WrittenModels()

    def make(data: bytes) -> WrittenModel:
        made.append(data)
        return sound(gain(0.5))

    for data in (b"a", b"b", b"a", b"c", b"a", b"b"):
        sounds.get(data, lambda data=data: make(data))  # type: ignore[misc]
    assert made == [b"a", b"b", b"c", b"b"], "two are kept: what plays, and the last"
