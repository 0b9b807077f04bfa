"""A small fuzz of the codec with every run; `make fuzz` is the large one."""

from __future__ import annotations

from faustwire import codec
from mutations import Mutations
from wire_fuzz import WireFuzz, judge


def test_no_mutated_message_breaks_decode() -> None:
    """Only MessageErrors come out, what is accepted can be sent on, and nothing takes long."""
    fuzz = WireFuzz(seed=7)
    for number in range(1, 5001):
        fuzz.step(number)
    assert fuzz.outcomes["refused"] > 2500
    assert fuzz.outcomes["snapshot"] > 150
    everything = {"refused", *codec._TYPES}
    assert set(fuzz.outcomes) == everything, "each type of message gets through at times"


def test_the_same_number_is_the_same_message_again() -> None:
    assert Mutations(5).message(77) == Mutations(5).message(77)


def test_what_it_mutates_is_valid() -> None:
    assert "refused" not in map(judge, Mutations(7).valid)
