"""What a core has asked for and not been told yet, when a recording is decided again."""

from __future__ import annotations

from faustwire_bridge.core import events, instructions

_ANSWERS: dict[type[instructions.Instruction], tuple[type[events.CoreEvent], ...]] = {
    instructions.Judge: (events.Judged, events.JudgeFailed),
    instructions.Compile: (events.Compiled, events.CompileFailed, events.Unchecked),
    instructions.Write: (events.Written, events.WriteFailed),
}
COMPILED = _ANSWERS[instructions.Compile]
OUTCOMES = tuple(kind for kinds in _ANSWERS.values() for kind in kinds)


def answers(event: events.CoreEvent, asked: instructions.Instruction | None) -> bool:
    """Tell whether an event is an outcome of an instruction.

    Args:
        event: what was recorded.
        asked: what the core has asked for; None: nothing, which has no outcome.

    Returns:
        Whether it is.
    """
    return asked is not None and isinstance(event, _ANSWERS[type(asked)])


class Outstanding:
    """One instruction at a time, and one that is set aside.

    Attributes:
        front: the one that the core waits for; None: it waits for nothing.
        aside: the one in the background.
    """

    def __init__(self) -> None:
        self.front: instructions.Instruction | None = None
        self.aside: instructions.Instruction | None = None

    def follow(self, instruction: instructions.Instruction) -> None:
        """Remember an instruction, or forget what it gives up."""
        match instruction:
            case instructions.Judge() | instructions.Compile() | instructions.Write():
                self.front = instruction
            case instructions.SetAside():
                self.front, self.aside = None, self.front
            case instructions.Cancel(aside=True):
                self.aside = None
            case instructions.Cancel():
                self.front = None
