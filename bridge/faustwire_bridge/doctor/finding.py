"""What a check looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from faustwire.key_ring import KeyRing

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that a check has found.

    Attributes:
        level: OK, WARNING (it works, but perhaps not as meant), or PROBLEM (it does not work).
        what: how it is, one line.
        todo: what to do about it; empty where nothing has to be done.
    """

    level: str
    what: str
    todo: str = ""


@dataclass(frozen=True)
class Subject:
    """What is to be examined.

    Attributes:
        dsp_path, config_path: the plugin's files, as a person named them.
        endpoint: of a bridge elsewhere, if that is what matters.
        keyring: this machine's keys.
        timeout: seconds that somebody else may take to answer.
    """

    dsp_path: str
    config_path: str
    endpoint: str
    keyring: KeyRing
    timeout: float


Check: TypeAlias = Callable[[Subject], Iterator[Finding]]
