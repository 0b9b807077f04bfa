"""What is added to a program's inputs: far too little to be heard, enough for it to run fast.

Once nothing enters them any more, filters and loops decay into denormal numbers (in single
precision below 1.2e-38), with which many processors compute several times more slowly, and rounding
keeps some filters there for ever. A constant of −474 dB keeps all that passes a constant above
them; where a filter takes constants away, noise of that level does. Either may be of any size as
far as libfaust knows, so that it types loops at once: it finds the range of every signal in a loop
by going round it until no range grows, which takes a dozen rounds in each of its five passes unless
what enters is unbounded to begin with.
"""

from __future__ import annotations

from faustwire.graph import FIR, SOS, Array, Leaf, Node, leaves

_COMMENT = (
    "// -474 dB, so that no filter computes with denormal numbers in silence; of any size to\n"
    "// libfaust, which then types loops at once"
)
_RATE = "fconstant(int fSamplingFreq, <math.h>)"
_CONSTANT = f"tiny = 1e-19/{_RATE};"
# A linear congruential generator, of whole numbers up to 2³¹.
_NOISE = f"tiny = ((*(1103515245):+(12345))~_)*(1e-28/{_RATE});"
# Of a filter's constant response to the sum of its coefficients' magnitudes: single precision may
# have nothing left of less.
_NOTHING_LEFT = 1e-6


def definitions(graph: Node) -> list[str]:
    """The lines that define what is added, for a program with loop variables.

    Args:
        graph: what the program plays.

    Returns:
        Lines of Faust.
    """
    return [_COMMENT, _NOISE if any(map(_takes_constants_away, leaves(graph))) else _CONSTANT]


def raised(number: int) -> str:
    """An input of the program with its floor, in Faust.

    Args:
        number: of the input; each has another floor, or the difference of two would have none.
    """
    return f"in{number}+{number + 1}*tiny" if number else "in0+tiny"


def _takes_constants_away(leaf: Leaf) -> bool:
    match leaf:
        case SOS():
            return _cancel(leaf.sections[:, :3].swapaxes(0, 1))
        case FIR():
            return _cancel(leaf.taps)
    return False


def _cancel(coefficients: Array) -> bool:
    """Whether coefficients, [number, ...], of some response add up to nothing."""
    magnitudes = abs(coefficients).sum(axis=0)
    left = abs(coefficients.sum(axis=0)) <= _NOTHING_LEFT * magnitudes
    return bool((left & (magnitudes > 0)).any())
