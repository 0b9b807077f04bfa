"""What a listener would have heard of the plugin: cut tails, silence, lost blocks, stale channels.

The plugin compiles inside its audio callback: no block is delivered until it is done, and the sound
that rang is gone. A program that takes longer to run than its sound lasts loses blocks for good. A
channel that a program does not write keeps what its buffer held. All was measured in the real one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faustwire_bridge.children.libfaust import CompiledProgram, compile_program

SAMPLE_RATE = 48_000
DEFAULT_BLOCK_FRAMES = 128
_CHANNELS = 2
# So much sound tells what a program takes to run: three times 35 ms, of which the least counts.
_COST_BLOCKS, _COST_PARTS = 13, 3


@dataclass(frozen=True)
class Load:
    """One program, and what loading it took.

    Attributes:
        text: of the program; empty: the load failed, and the plugin has none.
        begun_s: when its compile began, in seconds of audio.
        compile_s: how long it took.
        cost: processor time that a second of its sound takes.
    """

    text: str
    begun_s: float
    compile_s: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True)
class Heard:
    """What came out of the plugin.

    Attributes:
        audio: [2, samples].
        delivered: [blocks], whether each block came in time.
    """

    audio: NDArray[np.float64]
    delivered: NDArray[np.bool_]


def run_cost(program: CompiledProgram) -> float:
    """Measure what a program takes to run.

    Args:
        program: as it is loaded.

    Returns:
        Processor time that a second of its sound takes.
    """
    samples = _COST_BLOCKS * DEFAULT_BLOCK_FRAMES
    noise = np.random.default_rng(0).uniform(-1, 1, (program.n_in, samples))
    costs = []
    for _ in range(_COST_PARTS):
        begun = time.thread_time()
        program.render(noise, SAMPLE_RATE)
        costs.append(time.thread_time() - begun)
    return min(costs) * SAMPLE_RATE / samples


def in_time(blocks: int, cost: float) -> NDArray[np.bool_]:
    """Which blocks come in time while a program plays.

    Args:
        blocks: how many are due.
        cost: processor time that a second of its sound takes.

    Returns:
        [blocks]; of a program that costs 2 every other one.
    """
    done = np.floor(np.arange(blocks + 1) / max(cost, 1.0))
    return np.diff(done) > 0


def listen(
    loads: Sequence[Load],
    signal: NDArray[np.float64],
    *,
    block_frames: int = DEFAULT_BLOCK_FRAMES,
) -> Heard:
    """Play a signal through all programs that the plugin loads one after the other.

    Before the first it plays the signal itself. Inputs beyond two are silent here.

    Args:
        loads: in the order of their beginning.
        signal: [2, samples] at 48 kHz, what the DAW sends.
        block_frames: the DAW's buffer.

    Returns:
        As long as the signal, but for what does not fill a block.
    """
    blocks = signal.shape[1] // block_frames
    source = signal[:, : blocks * block_frames].reshape(_CHANNELS, blocks, block_frames)
    output, delivered = np.zeros_like(source), np.zeros(blocks, dtype=bool)
    stale = np.zeros((_CHANNELS, block_frames))
    for load, ready, last in _spans(loads, blocks, block_frames):
        own = output[:, ready:last]
        delivered[ready:last] = played = in_time(last - ready, load.cost if load else 0.0)
        if played.any():
            own[:, played] = _sound(load, source[:, ready:last][:, played], stale)
            stale = own[:, played][:, -1]
    return Heard(output.reshape(_CHANNELS, -1), delivered)


def _spans(
    loads: Sequence[Load], blocks: int, block_frames: int
) -> Iterator[tuple[Load | None, int, int]]:
    """Each program, the block from which it plays, and that at which the next one is compiled."""
    block_s = block_frames / SAMPLE_RATE
    begins = [min(blocks, int(load.begun_s / block_s)) for load in loads]
    yield None, 0, (begins or [blocks])[0]
    for load, begun, end in zip(loads, begins, [*begins[1:], blocks], strict=True):
        ready = begun + int(np.ceil(load.compile_s / block_s))
        yield load, min(ready, end), end


def _sound(
    load: Load | None, source: NDArray[np.float64], stale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a program makes of some blocks, from a fresh state: [2, blocks, frames]."""
    if load is None or not load.text:
        return source if load is None else np.zeros_like(source)
    program = compile_program(load.text)
    samples = source.reshape(_CHANNELS, -1)
    inputs = np.zeros((program.n_in, samples.shape[1]))
    fed = min(program.n_in, _CHANNELS)
    inputs[:fed] = samples[:fed]
    written = program.render(inputs, SAMPLE_RATE)[:_CHANNELS]
    sound = np.repeat(stale[:, None], source.shape[1], axis=1)
    sound[: len(written)] = written.reshape(len(written), *source.shape[1:])
    return sound


class Account:
    """Counts the blocks that are due and those that come, while the plugin runs.

    Attributes:
        begun_s: when the first was due, in monotonic seconds.
        cost: of the program that plays.
    """

    def __init__(self, block_seconds: float, cost: float = 0.0) -> None:
        self._block_s = block_seconds
        self.begun_s = self._since_s = time.monotonic()
        self.cost, self._delivered = cost, 0.0

    def loaded(self, begun_s: float, ready_s: float, cost: float) -> None:
        """Note that a program was loaded.

        Args:
            begun_s: when its compile began, in monotonic seconds: until then the last one played.
            ready_s: since when it plays.
            cost: processor time that a second of its sound takes.
        """
        self._delivered += self._played(begun_s)
        self._since_s, self.cost = ready_s, cost

    def counts(self) -> tuple[int, int]:
        """(blocks that were due until now, those of them that were delivered)."""
        now = time.monotonic()
        due = int((now - self.begun_s) / self._block_s)
        return due, min(due, int(self._delivered + self._played(now)))

    def _played(self, until_s: float) -> float:
        """Blocks that the program that plays has delivered."""
        return max(until_s - self._since_s, 0.0) / self._block_s / max(self.cost, 1.0)
