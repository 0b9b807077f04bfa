"""Whom to follow, in words."""

from __future__ import annotations

import pytest

from faustwire.messages import Choice
from faustwire_bridge.core.choices import ChoiceError, choice


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("latest", Choice("latest")),
        ("first", Choice("first")),
        ("worker anna", Choice("worker", "anna")),
        ("worker latest", Choice("worker", "latest")),
        ("best loss", Choice("best", "loss")),
        ("best sdr larger", Choice("best", "sdr", larger=True)),
    ],
)
def test_words_that_stand_for_a_choice(words: str, meant: Choice) -> None:
    assert choice(words.split()) == meant
    assert str(meant) == words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "one of: latest"),
        (["anna"], "'anna' names nobody"),
        (["worker"], "which worker?"),
        (["worker", ""], "one of: latest"),
        (["worker", "anna", "banana"], "needs quotes"),
        (["best"], "which metric?"),
        (["best", "loss", "smallest"], "unless told `larger`"),
        (["latest", "anna"], "latest and then 'anna'"),
    ],
)
def test_words_that_stand_for_none_are_told_what_would(words: list[str], told: str) -> None:
    with pytest.raises(ChoiceError, match="latest") as raised:
        choice(words)
    assert told in str(raised.value)


@pytest.mark.parametrize("words", [["worker", "\udcff"], ["best", "x" * 257]])
def test_a_name_that_nobody_can_have_is_told(words: list[str]) -> None:
    """It could not be sent to those who watch."""
    with pytest.raises(ChoiceError, match="can't be the name"):
        choice(words)
