"""Names of workers: made and compared in one place, whatever characters people put into them."""

from __future__ import annotations

import pytest

from faustwire.limits import MAX_NAME
from faustwire.worker_name import can_be_name, full_name, is_called, with_incarnation
from source_tree import files_with


def test_a_name_is_text_of_a_length_that_can_be_encoded() -> None:
    assert can_be_name("été/lr#3")
    assert can_be_name("x" * MAX_NAME)
    assert not can_be_name("x" * (MAX_NAME + 1))
    assert not can_be_name("\udcff")


def test_a_key_puts_its_users_name_ahead() -> None:
    assert full_name("hall", None) == full_name("hall", "") == "hall"
    assert full_name("hall", "anna") == "anna/hall"
    assert len(full_name("x" * MAX_NAME, "anna")) == MAX_NAME


@pytest.mark.parametrize("name", ["hall", "lr#3", "anna/hall", "a#b/c#d", "#", "lr#3#"])
def test_a_name_means_its_worker_and_so_does_the_beginning_of_its_incarnation(name: str) -> None:
    incarnation = "3f9a0c"
    for asked in (name, with_incarnation(name, incarnation), f"{name}#3", f"{name}#3f9a0c"):
        assert is_called(asked, name, incarnation)
    for asked in ("", f"{name}#", f"{name}#9a", f"{name}x", f"{name}3f9", f"{name}#3f9a0c0"):
        assert not is_called(asked, name, incarnation)


def test_a_name_that_looks_like_an_incarnations_is_still_a_name() -> None:
    # The incarnation begins with what follows the # in the name.
    assert is_called("lr#3", "lr#3", "3f9a0c")
    assert is_called("lr#3", "lr", "3f9a0c")
    assert not is_called("lr#3", "lr", "9a0c3f")


def test_nobody_else_takes_names_apart_or_puts_them_together() -> None:
    telltale = (
        r"""partition\(["'][#/]["']\)|split\(["'][#/]["']\)|\}#\{|f["']#\{|user[\w.'"\]]*\}/\{"""
    )
    assert files_with(telltale) == ["wire/faustwire/worker_name.py"]
