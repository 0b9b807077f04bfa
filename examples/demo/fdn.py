"""A feedback delay network of eight lines in FLAMO, untrained: it rings like a handful of pipes."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from flamo.processor import dsp, system

from demo.rooms import FS, Room

# 1.4 s of response: enough slope to tell 2.4 s, and a step of about 0.1 s on one core.
NFFT = 2**16
# Damps what is still ringing after NFFT samples, which the FFT would fold back to the start.
ALIAS_DECAY_DB = 40.0
SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 8.0


def build(room: Room, seed: int) -> system.Shell:
    """Stereo in, stereo out, all of it trained but the delays."""
    torch.manual_seed(seed)
    lines = len(room.delays_samples)
    common = {"nfft": NFFT, "alias_decay_db": ALIAS_DECAY_DB, "device": "cpu"}
    delays = dsp.parallelDelay(
        size=(lines,),
        max_len=max(room.delays_samples),
        isint=True,
        unit=1,  # FLAMO counts in hundredths of a second by default.
        fs=FS,
        requires_grad=False,
        **common,
    )
    delays.assign_value(delays.sample2s(torch.tensor(room.delays_samples, dtype=torch.float32)))
    mixing = dsp.Matrix(size=(lines, lines), matrix_type="orthogonal", requires_grad=True, **common)
    with torch.no_grad():
        # exp(skew(small)) is nearly the identity: eight combs that hardly know of each other.
        mixing.param.mul_(0.05)
    loop = system.Recursion(
        fF=delays,
        fB=system.Series(OrderedDict(mixing=mixing, absorption=_absorption(room, **common))),
    )
    core = OrderedDict(
        input=_gains(lines, 2, **common), loop=loop, output=_gains(2, lines, **common)
    )
    return system.Shell(
        core=system.Series(core),
        input_layer=dsp.FFT(NFFT),
        output_layer=dsp.iFFTAntiAlias(NFFT, alias_decay_db=ALIAS_DECAY_DB, device="cpu"),
    )


def respond(model: system.Shell) -> torch.Tensor:
    """The response to an impulse at both inputs: [NFFT, 2]."""
    impulse = torch.zeros(1, NFFT, 2)
    impulse[0, 0] = math.sqrt(0.5)
    response: torch.Tensor = model(impulse)[0]
    return response


def _gains(outputs: int, inputs: int, **common: object) -> dsp.Gain:
    gains = dsp.Gain(size=(outputs, inputs), requires_grad=True, **common)
    with torch.no_grad():
        gains.param.copy_(torch.randn(outputs, inputs) / math.sqrt(max(outputs, inputs)))
    return gains


def _absorption(room: Room, **common: object) -> dsp.parallelSOSFilter:
    """One one-pole low-pass a line: its own RT60 at 0 Hz and at half the sampling rate.

    Jot, Chaigne: Digital delay networks for designing artificial reverberators, AES 1991.
    """
    delays = torch.tensor(room.delays_samples, dtype=torch.float32)

    def sections(param: torch.Tensor) -> torch.Tensor:
        rt60_low, rt60_high = _seconds(param[0, 0]), _seconds(param[0, 1])
        low = 10 ** (-3 * delays / (FS * rt60_low))
        high = 10 ** (-3 * delays / (FS * rt60_high))
        pole = (low - high) / (low + high)
        gain = 2 * low * high / (low + high)
        one, zero = torch.ones_like(pole), torch.zeros_like(pole)
        return torch.stack((gain, zero, zero, one, -pole, zero))[None]

    absorption = dsp.parallelSOSFilter(size=(len(delays),), n_sections=1, fs=FS, **common)
    absorption.map = sections
    absorption.param.requires_grad_(True)
    share = math.log(room.start_rt60_seconds / SHORTEST_SECONDS) / math.log(
        LONGEST_SECONDS / SHORTEST_SECONDS
    )
    with torch.no_grad():
        absorption.param.zero_()
        absorption.param[:, :2] = math.log(share / (1 - share))
    return absorption


def _seconds(param: torch.Tensor) -> torch.Tensor:
    """Any number to a reverberation time within bounds: the loop is stable whatever is learnt."""
    octaves = math.log(LONGEST_SECONDS / SHORTEST_SECONDS)
    return SHORTEST_SECONDS * torch.exp(octaves * torch.sigmoid(param))
