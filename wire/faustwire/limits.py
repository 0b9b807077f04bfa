"""Limits that both sides know: how large a message may be, how often a plugin reloads."""

from __future__ import annotations

# A 256-channel dense matrix of double precision is half a MiB; 16 MiB is 32 of them.
MAX_BYTES = 16 * 2**20
# A generated Faust program has some 50 KiB for 32 lines; text by hand is rarely longer.
MAX_PROGRAM = 4 * 2**20
# Names and details are read by people.
MAX_TEXT = 4096
MAX_NAME = 256
MAX_METRICS = 64
# Lists and maps in one message, their elements counted: a few bytes can each stand for an object
# of 64 bytes, so this bounds what a hostile message can make us allocate.
MAX_ELEMENTS = 2**17
# Least time between two reloads of the plugin, in compile times of the program that plays. It
# compiles inside its audio callback: at a tenth, nine tenths of the time are sound.
COST_MULTIPLE = 10.0
# A change of level by a tenth of a decibel, which nobody notices, is a change of -39 dB; this is a
# hundredth of that, since what is heard may be a single echo. A training moves a model by more with
# each step until it has converged.
MIN_CHANGE_DB = -80.0
