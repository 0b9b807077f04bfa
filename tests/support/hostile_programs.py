"""Faust programs that are hard on libfaust, each found by hand."""

GOOD = "process = _,_;"
# libfaust fills its table for minutes, in 40 MiB.
HANGS = "process = rdtable(4000000, (1 : +~_ : seq(i, 200, sin)), 0) <: _,_;"
# These ask for more memory than libfaust may have: at once, and little by little.
EATS = "process = rwtable(400000000, 0.0, 0, _, 0) <: _,_;"
GROWS = "process = seq(i, 300000, +(i)) <: _,_;"
