"""Single key presses of a terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SPACE, UP, DOWN, RIGHT, LEFT, QUIT = " ", "up", "down", "right", "left", "q"

# What a terminal sends for the arrows, in its two modes.
_ARROWS = {"A": UP, "B": DOWN, "C": RIGHT, "D": LEFT}
_KEYS = {f"\x1b{mode}{letter}": key for letter, key in _ARROWS.items() for mode in "[O"}
_LOOK_SECONDS = 0.1


def keys_in(text: str) -> Iterator[str]:
    """The keys that a replay knows among what a terminal sent; all others are ignored."""
    at = 0
    while at < len(text):
        sequence = text[at : at + 3]
        if sequence in _KEYS:
            yield _KEYS[sequence]
            at += 3
            continue
        if text[at] in (SPACE, QUIT):
            yield text[at]
        at += 1


@contextmanager
def keyboard(take: Callable[[str], None]) -> Iterator[bool]:
    """Read keys on a thread of its own; Ctrl-C keeps its meaning.

    The terminal's settings are restored at the end.

    Args:
        take: is called with each key.

    Yields:
        Whether standard input is a terminal; without one no key is read.
    """
    if not sys.stdin.isatty():
        yield False
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            # A key that comes after the end is the shell's.
            if select.select([descriptor], [], [], _LOOK_SECONDS)[0] and not over.is_set():
                text = os.read(descriptor, 64).decode(errors="ignore")
                if not text:
                    return
                for key in keys_in(text):
                    take(key)

    thread = threading.Thread(target=read, name="faustwire-keys", daemon=True)
    tty.setcbreak(descriptor)
    thread.start()
    try:
        yield True
    finally:
        over.set()
        thread.join()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
