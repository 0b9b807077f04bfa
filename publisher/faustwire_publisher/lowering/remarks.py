"""What lowering has to say about a model that it does not refuse: warnings, with their paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Remarks:
    """The warnings of one lowering.

    Attributes:
        fs: sampling rate in Hz of the published signal; None: not known.
        texts: (path, what there is to say), in the order of the model.
    """

    def __init__(self, fs: float | None) -> None:
        self.fs = fs
        self.texts: list[tuple[str, str]] = []

    def lines(self) -> tuple[str, ...]:
        """The warnings, one line each."""
        return tuple(f"at {path}: {text}" for path, text in self.texts)


_current: ContextVar[Remarks | None] = ContextVar("remarks", default=None)


@contextmanager
def collected(fs: float | None) -> Iterator[Remarks]:
    """Within this block, ``remark`` collects.

    Args:
        fs: sampling rate in Hz of the published signal; None: not known.

    Yields:
        What is collected.
    """
    remarks = Remarks(fs)
    token = _current.set(remarks)
    try:
        yield remarks
    finally:
        _current.reset(token)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Within this block, the paths of new remarks begin with ``name``."""
    remarks = _current.get()
    known = 0 if remarks is None else len(remarks.texts)
    yield
    if remarks is not None:
        below = remarks.texts[known:]
        remarks.texts[known:] = [(f"{name}.{path}".rstrip("."), text) for path, text in below]


def remark(text: str, key: str = "") -> None:
    """Add a warning about the module that is being lowered.

    Args:
        text: what is unexpected, and what to do.
        key: of a part of the module that it is about.
    """
    remarks = _current.get()
    if remarks is not None:
        remarks.texts.append((key, text))


def check_rate(module: Any) -> None:
    """Add a warning if a module was designed for another sampling rate than is published."""
    remarks = _current.get()
    rate = getattr(module, "fs", None)
    if remarks is None or remarks.fs is None or not isinstance(rate, (int, float)):
        return
    if rate != remarks.fs:
        remark(
            f"this {type(module).__name__} has fs={rate:g}, and the model is published for "
            f"{remarks.fs:g} Hz: it sounds as it computes, but its times and frequencies are not "
            "those that it was given; use one fs for the model and HotReload"
        )
