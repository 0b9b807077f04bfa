"""Small snapshots are judged where they arrive, and no others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bridges import eventually
from faustwire import codec
from faustwire.controls import sliders
from faustwire.graph import FIR, Delay, Gain, Node, Recursion, Series
from faustwire.messages import Ping, Snapshot
from faustwire_bridge.analysis.judge_memory import Memory
from faustwire_bridge.analysis.judgement import judge, judge_at_hand
from faustwire_bridge.analysis.workload import is_small
from faustwire_bridge.children.judge_at_hand import JudgeAtHand
from faustwire_bridge.core.events import Judged
from faustwire_bridge.core.instructions import Judge
from faustwire_bridge.core.sound_limits import Limits
from graphs import fdn, gain


def packed(graph: Node, **more: object) -> bytes:
    return codec.encode(replace(Snapshot(1, 1, 48_000.0, graph), **more))  # type: ignore[arg-type]


def at_hand(data: bytes, playing: str | None = None) -> Judged | None:
    return judge_at_hand(
        data, limits=Limits(), playing=playing, playing_db=None, played=None, memory=Memory()
    )


@pytest.mark.parametrize("lines", [1, 4, 16, 32])
@pytest.mark.parametrize("knobs", [{}, {"rt60": True, "dry_wet": True}])
def test_a_small_snapshot_gets_the_same_program_and_assessment(
    lines: int, knobs: dict[str, bool]
) -> None:
    data = packed(fdn(lines), controls=sliders(knobs))
    found = at_hand(data)
    assert found == judge(data, limits=Limits(), playing=None, playing_db=None)
    assert found is not None
    assert found.structure


def loop(feedback: Node, samples: float = 100.0) -> Node:
    size = feedback.matrix.shape[0] if isinstance(feedback, Gain) else 1
    return Recursion("loop", Delay("d", np.full(size, samples)), feedback)


SIGNS = np.sign(np.random.default_rng(1).normal(size=(16, 16)))


@pytest.mark.parametrize(
    "graph",
    [
        fdn(40),
        loop(gain(1.01)),
        loop(gain(1.0)),
        gain(1e5),
        Delay("between", np.array([10.5])),
        FIR("room", np.ones((600, 1))),
        Series("many", tuple(gain(1.0) for _ in range(60))),
        loop(Gain("signs", SIGNS / 100)),
    ],
    ids=["wide", "grows", "lossless", "loud", "fractional", "long", "many", "shared sums"],
)
def test_what_may_take_long_or_is_not_passed_by_bounds_is_for_the_judging_process(
    graph: Node,
) -> None:
    assert at_hand(packed(graph)) is None


def test_what_is_no_snapshot_is_for_the_judging_process() -> None:
    assert at_hand(b"junk") is None
    assert at_hand(codec.encode(Ping())) is None
    assert at_hand(packed(Gain("g", np.eye(3)[:2]))) is not None


def test_butterflies_are_small() -> None:
    hadamard = np.ones((1, 1))
    for _ in range(4):
        hadamard = np.kron(hadamard, np.array([[1.0, 1.0], [1.0, -1.0]]))
    assert is_small(loop(Gain("hadamard", hadamard / 4)))


def loaded() -> tuple[JudgeAtHand, Callable[[Node], Judged | None]]:
    judging = JudgeAtHand(Limits())
    asked = Judge(packed(fdn(2)), None, None)
    eventually(lambda: judging.judge(asked) is not None, "numpy is loaded")
    return judging, lambda graph: judging.judge(Judge(packed(graph), None, None))


def test_the_first_snapshots_are_for_the_judging_process() -> None:
    judging = JudgeAtHand(Limits())
    assert judging.judge(Judge(packed(fdn(2)), None, None)) is None


def test_after_snapshots_that_bounds_do_not_pass_fewer_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judging, judged = loaded()
    tried: list[int] = []
    judge_it = judging._judged

    def counted(*asked: Any) -> Judged | None:
        tried.append(len(asked[1].data))
        return judge_it(*asked)

    monkeypatch.setattr(judging, "_judged", counted)
    for skipped in (1, 3, 7):
        assert judged(loop(gain(1.01))) is None
        assert tried.pop()
        for _ in range(skipped):
            assert judged(loop(gain(1.01))) is None
            # Others, of another size, are.
            assert judged(fdn(2)) is not None
        assert tried == skipped * [len(packed(fdn(2)))]
        tried.clear()


def test_beside_one_that_is_too_large_the_others_are_judged_and_compared_with_it() -> None:
    judging, judged = loaded()
    large, small = packed(fdn(64)), packed(fdn(2))
    asked = Judge(small, playing="another", playing_db=3.0, played=large)
    by_process = judge(small, limits=Limits(), playing="another", playing_db=3.0, played=large)
    assert by_process.change_db == math.inf
    for _ in range(4):
        assert judged(fdn(64)) is None
        found = judging.judge(asked)
        assert found is not None
        assert (found.program, found.change_db) == (by_process.program, math.inf)


def test_after_one_that_took_long_none_is_tried_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judging, judged = loaded()
    clock = "faustwire_bridge.children.judge_at_hand.time"
    now, taken = [100.0], [1.0]
    monkeypatch.setattr(f"{clock}.monotonic", lambda: now[0])
    monkeypatch.setattr(f"{clock}.thread_time", lambda: taken[0])

    def takes_long(*_: object, **__: object) -> Judged:
        taken[0] += 0.05
        return Judged("process = _,_;")

    with monkeypatch.context() as slow:
        slow.setattr(judging._judgement, "judge_at_hand", takes_long)
        assert judged(fdn(2)) is not None
    assert judged(fdn(2)) is None
    now[0] += 6.0
    assert judged(fdn(2)) is not None


def test_an_error_of_ours_leaves_it_to_the_judging_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judging, judged = loaded()

    def stumbles(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(judging._judgement, "judge_at_hand", stumbles)
    assert judged(fdn(2)) is None
