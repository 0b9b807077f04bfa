"""What snapshots sound like: their programs run by libfaust, as the plugin runs them."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faustwire.errors import FaustwireError
from faustwire.messages import Snapshot
from faustwire_bridge.analysis import stability
from faustwire_bridge.analysis.knob_positions import knobs_of_model
from faustwire_bridge.children.compiler import Compiler
from faustwire_bridge.children.libfaust import CompiledProgram, CompileError, compile_program
from faustwire_bridge.codegen import generate

# Shortest and longest rendering where no length was given.
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.25, 10.0
# A step from one program to the next: short enough to be heard as one, too long to click.
FADE_SECONDS = 0.05
# A reverberation is there already when its program fades in.
_RUN_UP_SECONDS = 1.0
# Nobody is kept waiting by it, as in the bridge.
_COMPILE_SECONDS = 30.0


class RenderError(FaustwireError, ValueError):
    """Something that can't be rendered as asked."""


@dataclass(frozen=True)
class Scene:
    """A snapshot, and the sample of the whole at which it takes over."""

    start: int
    snapshot: Snapshot


def program_text(snapshot: Snapshot) -> str:
    """The ``.dsp`` that a bridge writes for a snapshot.

    Raises:
        FaustwireError: it can't be written as a program.
    """
    knobs = knobs_of_model(snapshot.graph, snapshot.controls, fs=snapshot.fs)
    return generate(snapshot.graph, fs=snapshot.fs, name=snapshot.name, controls=knobs).text


def decay_seconds(snapshot: Snapshot) -> float:
    """How long to listen: the model's decay by 60 dB, within bounds."""
    rt60 = stability.classify(snapshot.graph, fs=snapshot.fs).rt60_seconds
    return float(np.clip(1.0 if rt60 is None else rt60, _SHORTEST_SECONDS, _LONGEST_SECONDS))


class Renderer:
    """Runs programs in libfaust's interpreter, with the plugin's precision.

    A process of its own compiles each of them first: the graphs come from files that anybody may
    have made, and libfaust can abort, hang and eat memory. To be closed.

    Raises (every method): FaustwireError: a snapshot can't be written as a program, or libfaust is
    not there or refuses it.
    """

    def __init__(self) -> None:
        self._compiler = Compiler("program", timeout=_COMPILE_SECONDS)

    def close(self) -> None:
        """End the process."""
        self._compiler.close()

    def impulse_response(self, snapshot: Snapshot, seconds: float) -> NDArray[np.float64]:
        """What each output answers to an impulse at each input.

        Args:
            snapshot: whose program.
            seconds: how long.

        Returns:
            [n_in · 2, samples]: left and right for the first input, then for the second.
        """
        program = self._compiled(program_text(snapshot))
        responses = program.impulse_response(round(seconds * snapshot.fs), snapshot.fs)
        return np.concatenate(list(responses.transpose(1, 0, 2)))

    def play(self, snapshot: Snapshot, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Send a sound through a snapshot's program; its knobs are where they start.

        Args:
            snapshot: whose program.
            x: [channels, samples] at its rate.

        Returns:
            [2, samples].
        """
        program = self._compiled(program_text(snapshot))
        return program.render(_fitted(x, program.n_in), snapshot.fs)

    def play_run(self, scenes: Sequence[Scene], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Send a sound through one program after the other, with crossfades.

        Unlike at the plugin's reloads no tail is cut: each program runs up before it is heard.

        Args:
            scenes: at least one, by rising ``start``, all of one sampling rate.
            x: [channels, samples]; as long as the whole is to be.

        Returns:
            [2, samples].

        Raises:
            RenderError: the sampling rate changes within the run.
        """
        fs = scenes[0].snapshot.fs
        if any(scene.snapshot.fs != fs for scene in scenes):
            raise RenderError("the sampling rate changes within the run: choose one worker")
        fade, run_up, length = round(FADE_SECONDS * fs), round(_RUN_UP_SECONDS * fs), x.shape[1]
        heard = np.zeros((2, length))
        for snapshot, start, end in _spans(scenes, length):
            begin, stop = max(0, start - run_up), min(length, end + fade)
            rendered = self.play(snapshot, x[:, begin:stop])[:, start - begin :]
            # What comes in and what goes out add up to one, however short each is heard.
            weight = np.ones(stop - start) if start == 0 else _risen(stop - start, 0, fade)
            if end < length:
                weight -= _risen(stop - start, end - start, fade)
            heard[:, start:stop] += weight * rendered
        return heard

    def _compiled(self, text: str) -> CompiledProgram:
        self._compiler.ask(text, play=False)
        answer = self._compiler.receive()
        while answer is None:
            descriptor = self._compiler.fileno()
            select.select([] if descriptor is None else [descriptor], [], [], 0.1)
            answer = self._compiler.receive()
        if answer.problem:
            raise CompileError(f"it can't be rendered: {answer.problem}")
        return compile_program(text)


def _spans(scenes: Sequence[Scene], length: int) -> Iterator[tuple[Snapshot, int, int]]:
    """Each snapshot that is heard, from where to where; the first one from the beginning."""
    starts = [0, *(min(scene.start, length) for scene in scenes[1:]), length]
    for scene, start, end in zip(scenes, starts, starts[1:], strict=False):
        if end > start:
            yield scene.snapshot, start, end


def _risen(samples: int, start: int, fade: int) -> NDArray[np.float64]:
    """0 before ``start``, 1 from ``fade`` samples after it on, half a cosine between."""
    way = np.clip((np.arange(samples) - start) / fade, 0.0, 1.0)
    risen: NDArray[np.float64] = 0.5 - 0.5 * np.cos(np.pi * way)
    return risen


def _fitted(x: NDArray[np.float64], n_in: int) -> NDArray[np.float64]:
    """As many channels as the program has: one goes into both, several are mixed into one."""
    if n_in == 1:
        return np.asarray(x.mean(axis=0, keepdims=True))
    return x[np.arange(n_in) % len(x)]
