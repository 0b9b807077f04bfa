"""What others have chosen can be seen, and does nothing else."""

from __future__ import annotations

import pytest

from faustwire.terminal import printable


@pytest.mark.parametrize("text", ["anna", "größe 2", "訓練 7", "a\u0301"])
def test_what_can_be_seen_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("trick", ["\x1b[2J", "\n", "\u202e", "\u200b", "\u2028", "\x85", "\ufeff"])
def test_what_moves_the_cursor_or_turns_text_around_is_escaped(trick: str) -> None:
    assert trick not in printable(f"anna{trick}bert")


@pytest.mark.parametrize("blank", ["\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"])
@pytest.mark.parametrize("more", ["", "\x1b"])
def test_letters_that_nobody_sees_draw_no_columns(blank: str, more: str) -> None:
    """Two spaces stand before a value of ours in the log, and nowhere else."""
    name = f"x{blank}{blank}worker=trusted{more}"
    assert name.isprintable() or more, "the control: Unicode calls it printable"
    assert blank not in printable(name)
    assert f"\\u{ord(blank):04x}" in printable(name)
