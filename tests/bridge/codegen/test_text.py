"""What a generated program looks like: names, comments, knobs, channels, and what costs nothing."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest

from faustwire.config_file import from_json, to_json
from faustwire.controls import ControlError, sliders
from faustwire.errors import GraphError, NonFiniteError
from faustwire.graph import Array, Delay, DiagonalGain, Gain, Householder, Node, Recursion, Series
from faustwire_bridge import json_to_faust
from faustwire_bridge.analysis.knob_positions import knobs_of_model
from faustwire_bridge.children.libfaust import compile_program
from faustwire_bridge.codegen import ChannelError, Channels, generate
from graph_response import impulse_response, relative_db

FS = 48_000
# Above what is added to the inputs, see ``codegen.noise_floor``.
FLOOR = 1e-22
ALL = {"rt60": True, "dry_wet": True, "pre_delay": True}
DELAYS = np.array([61.0, 83.0, 97.0, 113.0])


def loop(size: int = 4, n_in: int = 2, n_out: int = 2, gain: float = 0.8) -> Node:
    rng = np.random.default_rng(7)
    mixing = gain * np.linalg.qr(rng.normal(size=(size, size)))[0]
    return Series(
        "FDN",
        (
            Gain("in", rng.normal(size=(size, n_in))),
            Recursion("loop", Delay("delays", DELAYS[:size]), Gain("mix", mixing)),
            Gain("out", rng.normal(size=(n_out, size))),
        ),
    )


def code(text: str) -> str:
    """The program without its comments."""
    return re.sub(r"//.*", "", text)


def operations(text: str) -> dict[str, int]:
    return {sign: code(text).count(sign) for sign in "*+-"}


def test_the_same_graph_gives_the_same_bytes_and_imports_nothing() -> None:
    texts = {generate(loop(), fs=FS, controls=sliders(ALL)).text for _ in range(3)}
    assert len(texts) == 1
    # A C header names no Faust library.
    text = code(texts.pop()).replace("<math.h>", "")
    assert not re.search(r"import|library|declare|\b[a-z]+\.[a-z]", text)


@pytest.mark.parametrize(
    "name",
    ["process", "with", "letrec", "été", "a\nprocess = 1;", "*/ process = 0;", "//", "", "日本"],
)
def test_names_of_modules_never_reach_the_program(name: str) -> None:
    gain = Gain(name, np.array([[0.5, 0.25], [0.25, 0.5]]))
    program = generate(Series(name, (gain, gain)), fs=FS, name=name)
    assert code(program.text) == code(generate(Series("", (gain, gain)), fs=FS).text)
    assert program.text.isascii()
    compile_program(program.text)


def test_the_header_says_what_it_is() -> None:
    text = generate(loop(n_out=3), fs=44_100, name="Hall").text
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("//"))
    for part in ("Hall", "44100 Hz", "delays[4]", "FDN.loop.mix", "warning: 3 outputs"):
        assert part in head


@pytest.mark.parametrize(
    ("matrix", "multiplications", "additions"),
    [
        (np.eye(8)[::-1], 0, 0),
        (np.zeros((8, 8)), 0, 0),
        (np.diag([1.0, 1, 1, 1, 1, 1, 1, 0.5]), 1, 0),
        (np.ones((8, 8)), 0, 24),
        (np.eye(8) - 0.25, 8 + 8, 7 + 8),
    ],
)
def test_structure_costs_what_it_is_worth(
    matrix: Array, multiplications: int, additions: int
) -> None:
    counted = operations(generate(Gain("m", matrix), fs=FS, channels=None).text)
    assert counted["*"] <= multiplications
    assert counted["+"] + counted["-"] <= additions + code(str(matrix)).count("-")


def test_a_hadamard_matrix_becomes_butterflies_of_four_and_two() -> None:
    matrix: Array = np.ones((1, 1)) / math.sqrt(32)
    while len(matrix) < 32:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    counted = operations(generate(Gain("m", matrix), fs=FS, channels=None).text)
    # A butterfly of four takes seven additions and a half.
    assert counted["*"] <= 32 + 16
    assert counted["+"] + counted["-"] == 32 + 16 * 7


@pytest.mark.parametrize("seed", range(4))
def test_any_four_rows_of_signs_that_are_orthogonal_become_a_butterfly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    two = np.array([[1.0, 1.0], [1.0, -1.0]])
    rows, columns = (rng.permutation(4) for _ in range(2))
    signs = rng.choice([-1.0, 1.0], (2, 4))
    matrix = 0.5 * signs[0][:, None] * np.kron(two, two)[rows][:, columns] * signs[1]
    text = generate(Gain("m", matrix), fs=FS, channels=None).text
    assert code(text).count("0.5*") == 1
    assert "attach" not in text
    response = compile_program(text, double=True).impulse_response(1, FS)[:, :, 0]
    assert np.array_equal(response, matrix)


@pytest.mark.parametrize(("size", "opaque"), [(15, False), (16, True)])
def test_long_rows_are_put_in_order_once(size: int, opaque: bool) -> None:
    matrix = np.random.default_rng(size).normal(size=(size, size))
    text = generate(Gain("m", matrix), fs=FS, channels=None).text
    assert code(text).count("attach") == (size if opaque else 0)
    response = compile_program(text, double=True).impulse_response(1, FS)[:, :, 0]
    assert response == pytest.approx(matrix, rel=1e-15)


def paley(prime: int) -> Array:
    """A Hadamard matrix that is no Kronecker product, [prime + 1, prime + 1]."""
    squares = {k * k % prime for k in range(1, prime)}
    residues = [0, *(1 if k in squares else -1 for k in range(1, prime))]
    jacobsthal = np.array([[residues[(i - j) % prime] for j in range(prime)] for i in range(prime)])
    skew = np.block([[np.zeros((1, 1)), np.ones((1, prime))], [-np.ones((prime, 1)), jacobsthal]])
    matrix: Array = (skew + np.eye(prime + 1)) / math.sqrt(prime + 1)
    return matrix


def test_sums_that_rows_share_are_made_once() -> None:
    matrix = paley(11)
    assert matrix @ matrix.T == pytest.approx(np.eye(12))
    text = generate(Gain("m", matrix), fs=FS, channels=None).text
    counted = operations(text)
    assert counted["+"] + counted["-"] < 12 * 11 / 2
    response = compile_program(text, double=True).impulse_response(1, FS)[:, :, 0]
    assert response == pytest.approx(matrix, abs=1e-15)


def test_a_householder_matrix_stays_linear_in_size() -> None:
    vector = np.full(32, 1 / math.sqrt(32))
    vector[:2] = vector[0] * math.sqrt(1.5), vector[0] * math.sqrt(0.5)
    counted = operations(generate(Householder("m", vector), fs=FS, channels=None).text)
    assert counted["*"] <= 64
    assert counted["+"] <= 63


def test_what_enters_a_loop_is_not_bounded_and_not_changed() -> None:
    floor = "in0+tiny"
    text = generate(loop(), fs=FS, channels=None).text
    assert floor in text
    with_floor, without = (
        compile_program(program, double=True).impulse_response(400, FS)
        for program in (text, text.replace(floor, "in0"))
    )
    assert abs(with_floor - without).max() < FLOOR


def test_numbers_print_so_that_nothing_is_lost() -> None:
    gains = np.array([1e-300, 1e300, 5e9, 1 / 3, 1e22, -1e-5, 123456789012345680.0])
    graph = DiagonalGain("g", gains)
    program = compile_program(generate(graph, fs=FS, channels=None).text, double=True)
    assert np.array_equal(program.impulse_response(1, FS)[:, :, 0], np.diag(gains))


def test_gains_in_a_row_that_fold_to_nothing_a_double_holds_still_work() -> None:
    graph = Series(
        "",
        (
            DiagonalGain("a", np.array([1e-200])),
            DiagonalGain("b", np.array([1e-200])),
            DiagonalGain("c", np.array([1e200])),
            DiagonalGain("d", np.array([1e200])),
        ),
    )
    program = compile_program(generate(graph, fs=FS, channels=None).text, double=True)
    assert program.impulse_response(1, FS).item() in (0.0, pytest.approx(1.0))


# Channels.


def test_products_beyond_double_warn_of_nothing() -> None:
    """What is not finite is refused where the program is judged, not in the bridge's log."""
    reflection = Householder("reflection", np.full(4, 1.5e308))
    loud = DiagonalGain("loud", np.full(4, 1e200))
    mix = Gain("mix", np.full((4, 4), 1e200))
    generate(Series("model", (loud, mix, reflection)), fs=48_000, channels=None)


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (4, 3)])
def test_programs_fit_the_plugin_unless_told_otherwise(n_in: int, n_out: int) -> None:
    graph = loop(n_in=n_in, n_out=n_out)
    fitted = generate(graph, fs=FS)
    assert (fitted.n_in, fitted.n_out) == (min(n_in, 2), 2)
    compiled = compile_program(fitted.text)
    assert (compiled.n_in, compiled.n_out) == (fitted.n_in, fitted.n_out)
    assert bool(fitted.warnings) == (n_in > 2 or n_out != 2)
    own = compile_program(generate(graph, fs=FS, channels=None).text)
    assert (own.n_in, own.n_out) == (n_in, n_out)


def test_many_channels_are_fed_in_turn_and_summed_by_side() -> None:
    graph = Gain("m", np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]))
    response = compile_program(generate(graph, fs=FS).text).impulse_response(1, FS)[:, :, 0]
    assert response == pytest.approx(
        np.array([[(1 + 3 + 7 + 9) / math.sqrt(2), (2 + 8) / math.sqrt(2)], [4 + 6, 5]])
    )


def test_channels_can_be_chosen() -> None:
    graph = Gain("m", np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]))
    program = generate(graph, fs=FS, channels=Channels(inputs=(2, 0), outputs=(1, 1, 0)))
    response = compile_program(program.text).impulse_response(1, FS)[:, :, 0]
    assert response.tolist() == [[6, 4], [6, 4], [3, 1]]


@pytest.mark.parametrize(
    "chosen",
    [Channels(inputs=(3,)), Channels(outputs=(-1,)), Channels(outputs=()), Channels(inputs=(0, 0))],
)
def test_channels_that_are_not_there_are_refused(chosen: Channels) -> None:
    with pytest.raises(ChannelError):
        generate(loop(), fs=FS, channels=chosen)


# Controls.


def test_knobs_have_the_references_addresses_in_ascii_order() -> None:
    program = compile_program(generate(loop(), fs=FS, controls=sliders(ALL)).text, name="adac-live")
    assert [slider.address for slider in program.sliders] == [
        "/adac-live/dry_wet",
        "/adac-live/pre-delay",
        "/adac-live/rt60",
    ]
    ranges = [(s.init, s.min, s.max, s.step, s.unit) for s in program.sliders]
    assert ranges == [(1, 0, 1, 0.01, ""), (0, 0, 250, 1, "ms"), (2, 0.1, 10, 0.01, "s")]


@pytest.mark.parametrize(
    "labels",
    [("Zed", "abc", "m"), ("a b", "a.b", "h:a/c"), ("x*y,z", "x'y", "(q)"), ("%x", "../y", "ä")],
)
def test_own_labels_keep_both_orders_equal(labels: tuple[str, str, str]) -> None:
    controls = sliders({k: {"label": v} for k, v in zip(ALL, labels, strict=True)})
    program = compile_program(generate(loop(), fs=FS, controls=controls).text)
    addresses = [slider.address for slider in program.sliders]
    assert len(addresses) == 3
    assert addresses == sorted(addresses)


def test_two_knobs_of_one_address_are_refused() -> None:
    same = sliders({"rt60": {"label": "a b"}, "dry_wet": {"label": "a_b"}})
    with pytest.raises(ControlError, match="same address"):
        generate(loop(), fs=FS, controls=same)


@pytest.mark.parametrize(
    ("knob", "rt60"), [({"init": 2}, 0.1), ({"init": 2}, 10.0), (True, 0.5), (True, 9.99)]
)
def test_rt60_attenuates_every_delay_in_a_loop(knob: Any, rt60: float) -> None:
    graph = loop()
    text = generate(graph, fs=FS, controls=sliders({"rt60": knob})).text
    program = compile_program(text, double=True)
    assert isinstance(graph, Series)
    recursion = graph.nodes[1]
    assert isinstance(recursion, Recursion)
    attenuated = Series(
        "", (recursion.forward, DiagonalGain("", 10 ** (-3 * DELAYS / (FS * rt60))))
    )
    expected = Series(
        "", (graph.nodes[0], Recursion("", attenuated, recursion.feedback), graph.nodes[2])
    )
    response = program.impulse_response(1500, FS, sliders={"rt60": rt60})
    assert relative_db(response, impulse_response(expected, 1500)) < -200


@pytest.mark.parametrize("double", [False, True])
def test_a_model_that_decays_sounds_like_itself_until_rt60_is_turned(double: bool) -> None:
    graph = loop()
    knobs = knobs_of_model(graph, sliders({"rt60": True}), fs=FS)
    with_knob = compile_program(generate(graph, fs=FS, controls=knobs).text, double=double)
    without = compile_program(generate(graph, fs=FS).text, double=double)
    assert [slider.init for slider in with_knob.sliders] == [10.0]
    trained = without.impulse_response(3000, FS)
    assert np.array_equal(with_knob.impulse_response(3000, FS), trained)
    turned = with_knob.impulse_response(3000, FS, sliders={"rt60": 0.1})
    assert abs(turned[..., -500:]).max() < 0.5 * abs(trained[..., -500:]).max()


def test_a_lossless_model_has_the_references_rt60_at_first() -> None:
    lossless = loop(gain=1.0)
    knobs = knobs_of_model(lossless, sliders({"rt60": True}), fs=FS)
    assert knobs["rt60"].init == 2.0
    # And as trained at the knob's right end, the value as the plugin keeps it.
    program = compile_program(generate(lossless, fs=FS, controls=knobs).text)
    response = program.impulse_response(1500, FS, sliders={"rt60": float(np.float32(10.0))})
    assert relative_db(response, impulse_response(lossless, 1500)) < -100


def test_knobs_at_rest_and_at_their_ends() -> None:
    graph = loop()
    text = generate(graph, fs=FS, controls=sliders({"dry_wet": True, "pre_delay": True})).text
    program = compile_program(text, double=True)
    wet = impulse_response(graph, 1500)
    dry = np.zeros_like(wet)
    dry[0, 0, 0] = dry[1, 1, 0] = 1.0
    assert relative_db(program.impulse_response(1500, FS), wet) < -200
    bypassed = program.impulse_response(1500, FS, sliders={"dry/wet": 0})
    assert abs(bypassed - dry).max() < FLOOR
    late = program.impulse_response(1500, FS, sliders={"pre-delay": 10, "dry/wet": 0.25})
    expected = 0.75 * dry
    expected[:, :, 480:] += 0.25 * wet[:, :, :-480]
    assert relative_db(late, expected) < -200


@pytest.mark.parametrize(
    ("n_in", "n_out", "dry"),
    [
        (1, 2, [[1], [1]]),
        (2, 1, [[0.5, 0.5]]),
        (2, 3, [[1, 0], [0, 1], [0, 0]]),
        (3, 2, [[1, 0, 0], [0, 1, 0]]),
    ],
)
def test_the_dry_path_follows_a_rule_whatever_the_channels(
    n_in: int, n_out: int, dry: list[list[float]]
) -> None:
    graph = loop(n_in=n_in, n_out=n_out)
    program = generate(graph, fs=FS, controls=sliders({"dry_wet": {"init": 0}}), channels=None)
    response = compile_program(program.text).impulse_response(1, FS)[:, :, 0]
    assert abs(response - dry).max() < FLOOR
    assert bool(program.warnings) == (n_out > n_in > 1)


def test_a_control_that_finds_nothing_to_act_on_is_a_warning() -> None:
    graph = Gain("g", np.eye(2) * 0.5)
    program = generate(graph, fs=FS, controls=sliders(ALL))
    assert any("rt60" in warning for warning in program.warnings)
    assert "// warning: rt60" in program.text
    assert [s.label for s in compile_program(program.text).sliders] == ["dry/wet", "pre-delay"]


# JSON.


def test_a_graph_survives_json_and_becomes_the_same_program() -> None:
    graph = loop()
    config = json.loads(json.dumps(to_json(graph, FS, "Hall")))
    text = json_to_faust(config, ALL)  # by position, as scripts for the reference do
    knobs = knobs_of_model(graph, sliders(ALL), fs=FS)
    assert text == generate(graph, fs=FS, name="Hall", controls=knobs, channels=None).text


def test_a_config_carries_its_own_controls_and_arguments_override_them() -> None:
    config = to_json(loop(), FS, "Hall") | {"controls": {"rt60": {"init": 1.5}, "dry_wet": True}}
    assert from_json(config).controls["rt60"].init == 1.5
    text = json_to_faust(config, controls={"rt60": {"init": 3}, "dry_wet": False})
    assert [(s.label, s.init) for s in compile_program(text).sliders] == [("rt60", 3)]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"faustwire": 2}, "at faustwire: version 2"),
        ({"fs": "fast"}, "at fs"),
        ({"fs": 0}, "at fs"),
        ({"fs": 48}, "at fs: .* for 48 kHz say 48000"),
        ({"name": 5}, "at name"),
        ({"colour": 1}, "colour"),
        ({"controls": [1]}, "at controls"),
        ({"graph": None}, "at [$]"),
        (
            {"graph": {"type": "gain", "name": "g", "matrix": [[1], [1, 2]]}},
            "at g: matrix is ragged",
        ),
        ({"graph": {"type": "series", "name": "s", "nodes": [{"type": "gong"}]}}, "at s: unknown"),
    ],
)
def test_a_broken_config_is_refused_with_its_path(edit: dict[str, Any], said: str) -> None:
    with pytest.raises(GraphError, match=said):
        json_to_faust(to_json(loop(), FS, "FDN") | edit)


def test_a_config_with_nan_is_refused() -> None:
    config = to_json(Gain("g", np.ones((2, 2))), FS, "FDN")
    config["graph"]["matrix"][1][0] = math.nan
    with pytest.raises(NonFiniteError, match=r"at g: matrix\[1, 0\] is nan"):
        json_to_faust(config)
