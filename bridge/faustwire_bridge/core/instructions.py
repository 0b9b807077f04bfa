"""What comes out of the core: messages to send, work to do, files to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from faustwire.messages import Event, ToPeer


@dataclass(frozen=True)
class Send:
    """Send a message to a peer.

    Attributes:
        peer: routing id of the connection.
        message: what to send.
        again: it answers a message that was answered before and came again.
    """

    peer: bytes
    message: ToPeer
    again: bool = False


@dataclass(frozen=True)
class Judge:
    """Write a snapshot in Faust and assess its sound; answer with Judged or JudgeFailed.

    Attributes:
        data: the encoded Snapshot, as it came.
        playing: ``fingerprint`` of the program that plays; None: not known.
        playing_db: the level that a jump is measured from, in dB; None: unity gain.
        played: the encoded Snapshot that plays, to be compared with; None: nothing is compared.
    """

    data: bytes
    playing: str | None
    playing_db: float | None
    played: bytes | None = None


@dataclass(frozen=True)
class Happened:
    """Tell the watchers, the log and the recording."""

    event: Event


@dataclass(frozen=True)
class Compile:
    """Compile the program; answer with Compiled, CompileFailed or Unchecked when it is done.

    Attributes:
        program: Faust text.
        play: play a second of noise through it as well.
        thorough: play it longer, at three rates and with its knobs turned.
    """

    program: str
    play: bool
    thorough: bool = False


@dataclass(frozen=True)
class SetAside:
    """Go on with the last Judge or Compile in the background; answer with FinishedAside.

    Nothing else is set aside then.
    """


@dataclass(frozen=True)
class Cancel:
    """Give up the last Judge or Compile; it gets no answer.

    Attributes:
        aside: what was set aside instead.
    """

    aside: bool = False


@dataclass(frozen=True)
class Write:
    """Write the program, then the plugin's config; answer with Written or WriteFailed.

    Attributes:
        program: Faust text.
        rewrite_config: write the config even if it is right already.
    """

    program: str
    rewrite_config: bool


@dataclass(frozen=True)
class LogInternalError:
    """Log an internal error with its traceback; the publication it concerns has its verdict."""

    error: Exception


@dataclass(frozen=True)
class Stop:
    """End the bridge."""

    why: str


Instruction: TypeAlias = (
    Send | Happened | Judge | Compile | SetAside | Cancel | Write | LogInternalError | Stop
)
