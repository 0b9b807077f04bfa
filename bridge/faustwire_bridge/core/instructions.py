"""What comes out of the core: messages to send, work to do, files to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from faustwire.messages import Event as Happening
from faustwire.messages import Snapshot, ToPeer


@dataclass(frozen=True)
class Send:
    """Send a message to a peer; ``again``: the answer to a resend."""

    peer: bytes
    message: ToPeer
    again: bool = False


@dataclass(frozen=True)
class Judge:
    """Write a snapshot in Faust and tell how it would sound; Judged or JudgeFailed when it is done.

    Attributes:
        snapshot: what to judge.
        playing: ``fingerprint`` of the text that the plugin has; None where that is not known.
        playing_db: the peak gain of what plays, None where that is not known.
    """

    snapshot: Snapshot
    playing: str | None
    playing_db: float | None


@dataclass(frozen=True)
class Happened:
    """Tell the watchers, the log and the recording."""

    event: Happening


@dataclass(frozen=True)
class Compile:
    """Compile the program; answer with Compiled, CompileFailed or Unchecked when it is done.

    Attributes:
        program: Faust text.
        play: play a second of noise through it as well.
    """

    program: str
    play: bool


@dataclass(frozen=True)
class Write:
    """Write the program, and then the config; answer with Written or WriteFailed at once."""

    program: str
    rewrite_config: bool


@dataclass(frozen=True)
class Stop:
    """End the bridge."""

    why: str


Instruction: TypeAlias = Send | Happened | Judge | Compile | Write | Stop
