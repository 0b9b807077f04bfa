"""``faustwire replay`` on the publisher's side: arguments in, progress and a summary out."""

from __future__ import annotations

import json
import math
import signal
import sys
from typing import Any

from faustwire.errors import FaustwireError, explained
from faustwire.terminal import printable
from faustwire_publisher.replay.forecast import forecast
from faustwire_publisher.replay.keyboard import keyboard
from faustwire_publisher.replay.played import ReplayError
from faustwire_publisher.replay.player import Replay
from faustwire_publisher.replay.screen import KEYS, Screen, Tally

# sysexits.h, and what a shell says of a program that Ctrl-C has ended.
_EXIT_USAGE = 64
_EXIT_UNAVAILABLE = 69
_EXIT_INTERRUPTED = 130
_MOST_DAMAGES = 20


def run() -> int:
    """Run the replay that the JSON object on the command line describes; returns the exit code."""
    if len(sys.argv) != 2:
        print("this module is run by `faustwire replay`; use that", file=sys.stderr)
        return _EXIT_USAGE
    told: dict[str, Any] = json.loads(sys.argv[1])
    # SIGTERM leaves as cleanly as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        step, worker, as_json = told.pop("step"), told.pop("step_worker"), told.pop("as_json")
        speed = told.pop("speed")
        with Replay(**told, speed=math.inf if speed is None else speed) as replay:
            for line in replay.states.recording.unfinished:
                print(printable(line), file=sys.stderr, flush=True)
            if speed is not None and step is None and not told["force"]:
                _foretell(replay, speed)
            return _play(replay, step, worker, as_json=as_json)
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except (FaustwireError, OSError) as problem:
        print(f"faustwire replay: {printable(explained(problem))}", file=sys.stderr)
        return _EXIT_UNAVAILABLE if isinstance(problem, ReplayError) else _EXIT_USAGE


def _foretell(replay: Replay, speed: float) -> None:
    line = forecast(replay.states, speed) if speed > 1 else None
    if line is not None:
        print(line, file=sys.stderr, flush=True)


def _play(replay: Replay, step: int | str | None, worker: str | None, *, as_json: bool) -> int:
    """Send a recording, or one state of it; returns the exit code.

    Args:
        replay: what to send.
        step: the one call to send, as people name it; None: all.
        worker: the worker whose call it is.
        as_json: print a summary as JSON at the end.
    """
    tally = Tally()
    code = 0
    with Screen(replay) as screen:
        try:
            if step is not None:
                tally.add(replay.step(step, worker).ticket)
            if step is None or replay.pace.paused:
                with keyboard(screen.take_key) as there:
                    if there:
                        screen.console.print(f"{KEYS}; q or Ctrl-C leaves", style="dim")
                    for played in replay:
                        tally.add(played.ticket)
                        screen.show(played, tally)
        except KeyboardInterrupt:
            code = _EXIT_INTERRUPTED
        finally:
            replay.close()
    tally.settle()
    _tell(replay, tally, as_json=as_json)
    return code


def _tell(replay: Replay, tally: Tally, *, as_json: bool) -> None:
    damage = [str(each) for each in replay.damage]
    if replay.states.skipped:
        damage.append(f"{replay.states.skipped} messages can't be read and were left out")
    if as_json:
        summary = {"sent": replay.sent, "reasons": tally.reasons, "damage": damage}
        print(json.dumps(summary))
    states = "state" if replay.sent == 1 else "states"
    print(f"{replay.sent} {states} sent: {tally}", file=sys.stderr)
    for line in damage[:_MOST_DAMAGES]:
        print(f"damaged: {printable(line)}", file=sys.stderr)
    if len(damage) > _MOST_DAMAGES:
        print(f"damaged: {len(damage) - _MOST_DAMAGES} more places", file=sys.stderr)
