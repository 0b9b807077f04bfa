"""Why something is not published: one type from the check that finds it to the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from faustwire.messages import Reason


@dataclass(frozen=True)
class Refusal:
    """Why a snapshot or a program is not published.

    Attributes:
        reason: one of the closed list.
        detail: one line for people: what is wrong, where, and what to do.
    """

    reason: Reason
    detail: str
