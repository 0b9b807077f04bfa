"""Warnings raised by a piece of training."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from faustwire_publisher import FaustwireWarning


@contextmanager
def recorded_warnings() -> Iterator[list[str]]:
    """Record faustwire's warnings in this block as text, repeated ones too."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FaustwireWarning)
        try:
            yield told
        finally:
            told += [str(w.message) for w in caught if w.category is FaustwireWarning]
