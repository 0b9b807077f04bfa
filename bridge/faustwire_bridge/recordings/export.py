"""States taken out of a recording: as programs, as configs, as sound."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faustwire import codec, controls
from faustwire.atomic_file import ReplacedFile
from faustwire.config_file import to_json
from faustwire.errors import FaustwireError, MessageError, RecordingError
from faustwire.messages import Snapshot
from faustwire.recording import Recording, recorded_worker
from faustwire.recording.calls import find_call
from faustwire.recording.publications import Publications, check_names
from faustwire_bridge.recordings.rendering import Renderer, Scene, decay_seconds, program_text
from faustwire_bridge.recordings.sound_file import SOUNDS, read_sound, write_sound

KINDS = (".dsp", ".json", *SOUNDS)
# Without a sound to send through a run: a click this often, so that each program is heard.
_CLICK_SECONDS = 0.5
# An hour of stereo floats is 1.4 GB.
_MOST_SECONDS = 3600.0
# Each is compiled; more are thinned out evenly.
_MOST_SCENES = 1000


class ExportError(FaustwireError, ValueError):
    """Something that can't be exported as asked."""


@dataclass(frozen=True)
class Excitation:
    """What to hear.

    Attributes:
        source: a sound file to send through; None: an impulse, or clicks.
        seconds: how long; None: the source's length and the decay after it.
    """

    source: Path | None = None
    seconds: float | None = None


def snapshot_of(found: Recording, call: int | str, worker: str | None) -> Snapshot:
    """The snapshot of one call.

    Args:
        found: the recording.
        call: the call's number, or the words that name it, see ``find_call``.
        worker: the worker's name, see ``worker_name``; None: whichever has that call.

    Raises:
        RecordingError: there is no such worker, or the call is not in the recording, is of several
            workers or is not a snapshot.
        MessageError: it makes no sense.
    """
    message = codec.decode(find_call(found, call, [] if worker is None else [worker]).data)
    if not isinstance(message, Snapshot):
        raise RecordingError(f"call {call} is not a snapshot")
    return message


def export(snapshot: Snapshot, output: Path, excitation: Excitation) -> None:
    """Write one snapshot, in the form that the file's ending asks for.

    Args:
        snapshot: what to write.
        output: ``.dsp``: the program, as a bridge writes it. ``.json``: a config, as
            ``flamo_to_json`` gives and ``faustwire compile`` takes. ``.wav``, ``.flac``: what it
            sounds like.
        excitation: for sounds.

    Raises:
        ExportError: another ending.
        FaustwireError: it can't be written as a program, or libfaust refuses it.
        OSError: the file can't be written.
    """
    if output.suffix == ".dsp":
        _write(output, program_text(snapshot))
    elif output.suffix == ".json":
        config = to_json(snapshot.graph, snapshot.fs, snapshot.name)
        if snapshot.controls:
            config["controls"] = controls.to_overrides(snapshot.controls)
        _write(output, json.dumps(config))
    elif output.suffix in SOUNDS:
        write_sound(output, _heard(snapshot, excitation), snapshot.fs)
    else:
        raise ExportError(f"{output}: name a file that ends in {', '.join(KINDS)}")


def export_run(
    found: Recording, workers: tuple[str, ...], output: Path, excitation: Excitation
) -> int:
    """Write what was heard of a whole run: every program from when it was published, crossfaded.

    Args:
        found: the recording.
        workers: names of those that are heard; empty: all.
        output: a ``.wav`` or ``.flac``.
        excitation: what is sent through; with ``seconds`` the whole run is squeezed into this many.

    Returns:
        How many programs are in it.

    Raises:
        ExportError: it is no ``.wav``, too long, or nothing was published.
        FaustwireError: a snapshot can't be rendered.
        OSError: the file can't be written.
    """
    if output.suffix not in SOUNDS:
        kinds = " or ".join(SOUNDS)
        raise ExportError(f"{output}: a whole run is sound, so name a file that ends in {kinds}")
    check_names(found, workers)
    timed = list(_published(found, workers))
    if not timed:
        raise ExportError("nothing of these workers was published")
    timed = timed[:: -(-len(timed) // _MOST_SCENES)]
    begun, ended = timed[0][0], (found.end_ns or 0) * 1e-9
    lasted = max(ended - begun, 0.1)
    seconds = excitation.seconds or lasted
    if seconds > _MOST_SECONDS:
        raise ExportError(f"it would be {seconds:.0f} s long: squeeze it with --seconds")
    fs = timed[0][1].fs
    scale = seconds / lasted * fs
    scenes = [Scene(round((at - begun) * scale), snapshot) for at, snapshot in timed]
    with closing(Renderer()) as renderer:
        write_sound(
            output, renderer.play_run(scenes, _looped(excitation, round(seconds * fs), fs)), fs
        )
    return len(scenes)


def _published(found: Recording, workers: tuple[str, ...]) -> Iterator[tuple[float, Snapshot]]:
    """When each snapshot was published, Unix time in seconds, and what it was."""
    publications = Publications()
    for item in found:
        published = publications.published_by(item)
        who = recorded_worker(published.metadata) if published is not None else None
        if published is None or who is None:
            continue
        if workers and not any(map(who.is_called, workers)):
            continue
        with suppress(MessageError):  # The bridge would not have published it.
            message = codec.decode(published.data)
            if isinstance(message, Snapshot):
                yield item.at_ns * 1e-9, message


def _heard(snapshot: Snapshot, excitation: Excitation) -> NDArray[np.float64]:
    with closing(Renderer()) as renderer:
        if excitation.source is None:
            return renderer.impulse_response(
                snapshot, excitation.seconds or decay_seconds(snapshot)
            )
        x = read_sound(excitation.source, snapshot.fs)
        length = x.shape[1] + round(decay_seconds(snapshot) * snapshot.fs)
        if excitation.seconds is not None:
            length = round(excitation.seconds * snapshot.fs)
        padded = np.zeros((len(x), length))
        padded[:, : x.shape[1]] = x[:, :length]
        return renderer.play(snapshot, padded)


def _looped(excitation: Excitation, length: int, fs: float) -> NDArray[np.float64]:
    if excitation.source is None:
        clicks = np.zeros((1, length))
        clicks[:, :: round(_CLICK_SECONDS * fs)] = 1.0
        return clicks
    x = read_sound(excitation.source, fs)
    return np.tile(x, -(-length // max(1, x.shape[1])))[:, :length]


def _write(output: Path, text: str) -> None:
    ReplacedFile(output, str(os.getpid())).write(text.encode())
