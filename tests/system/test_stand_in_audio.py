"""What a listener would have heard of the plugin, as the real one was measured to sound."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cyfaust")

from numpy.typing import NDArray

from stand_in_audio import SAMPLE_RATE, Account, Heard, Load, in_time, listen

BLOCK_S = 128 / SAMPLE_RATE
WIRE = "process = _,_;"
# A comb of 10 ms that decays by 60 dB in two seconds.
RINGS = "process = par(channel, 2, + ~ (@(479) : *(0.966)));"


def click(seconds: float = 1.0) -> NDArray[np.float64]:
    signal = np.zeros((2, round(seconds * SAMPLE_RATE)))
    signal[:, 0] = 1.0
    return signal


def steady(seconds: float = 1.0) -> NDArray[np.float64]:
    return np.ones((2, round(seconds * SAMPLE_RATE)))


def loudest(heard: Heard, since_s: float) -> float:
    return float(np.abs(heard.audio[:, round(since_s * SAMPLE_RATE) :]).max())


def test_a_reload_cuts_the_tail() -> None:
    """The control is the same program, loaded once."""
    once = listen([Load(RINGS, 0.0)], click())
    twice = listen([Load(RINGS, 0.0), Load(RINGS, 0.5)], click())
    assert loudest(once, 0.51) > 0.1
    assert loudest(twice, 0.51) == 0.0
    assert np.array_equal(once.audio[:, :20_000], twice.audio[:, :20_000])


def test_a_compile_is_silence() -> None:
    heard = listen([Load(WIRE, 0.0), Load(WIRE, 0.5, compile_s=0.1)], steady())
    silent = heard.audio[0] == 0
    assert silent.sum() / SAMPLE_RATE == pytest.approx(0.1, abs=2 * BLOCK_S)
    assert silent[round(0.55 * SAMPLE_RATE)]
    assert heard.delivered.mean() == pytest.approx(0.9, abs=0.01)
    assert listen([Load(WIRE, 0.0)], steady()).delivered.all()


@pytest.mark.parametrize(("cost", "delivered"), [(0.5, 1.0), (1.0, 1.0), (2.08, 0.48)])
def test_a_program_that_costs_more_than_a_core_loses_blocks_for_good(
    cost: float, delivered: float
) -> None:
    """Of a 2×2 FIR of 2,048 taps, which costs 2.08, 46 % were delivered."""
    heard = listen([Load(WIRE, 0.0, cost=cost)], steady(4.0))
    for part in np.array_split(heard.delivered, 4):
        assert part.mean() == pytest.approx(delivered, abs=0.01)
    assert (heard.audio == 1).mean() == pytest.approx(delivered, abs=0.01)
    assert in_time(100, cost).mean() == pytest.approx(delivered, abs=0.02)


def test_a_channel_that_is_not_written_keeps_what_its_buffer_held() -> None:
    """Stale memory, again and again, not silence; the other one is the program's."""
    signal = np.random.default_rng(1).uniform(-1, 1, (2, SAMPLE_RATE // 128 * 128))
    heard = listen([Load(WIRE, 0.0), Load("process = _;", 0.5)], signal)
    left, right = heard.audio.reshape(2, -1, 128)
    assert np.allclose(left, signal[0].reshape(-1, 128))
    assert np.array_equal(right[-1], right[190])
    assert np.abs(right[-1]).max() > 0.5
    both = listen([Load(WIRE, 0.0), Load("process = _ <: _,_;", 0.5)], signal)
    assert not np.array_equal(both.audio[1, -128:], both.audio[1, -256:-128])


def test_what_did_not_load_is_silent() -> None:
    heard = listen([Load(WIRE, 0.0), Load("", 0.5)], steady())
    assert loudest(heard, 0.0) == 1.0
    assert loudest(heard, 0.51) == 0.0


def test_the_account_counts_what_the_listener_misses() -> None:
    account = Account(BLOCK_S)
    begun = account.begun_s
    account.begun_s -= 10.0  # as if it ran for ten seconds
    account._since_s = begun - 10.0
    account.loaded(begun - 6.0, begun - 5.0, cost=2.0)
    due, delivered = account.counts()
    assert due >= 10 / BLOCK_S - 1
    assert delivered / due == pytest.approx((4 + 5 / 2) / 10, abs=0.02)
