"""What happened to the service, as the core is told: messages, and how an instruction failed."""

from __future__ import annotations

from faustwire import packed_snapshot
from faustwire.errors import MessageError, explained
from faustwire.messages import Bye, Rejection
from faustwire_bridge.core import events, instructions, rights
from faustwire_bridge.service.listener import Received
from faustwire_bridge.service.plugin_files import PluginFiles


def to_event(received: Received) -> events.CoreEvent:
    """Read a message.

    Args:
        received: the message as it came.

    Returns:
        The event; of a snapshot only the header has been read.
    """
    peer, frames = received.peer, received.frames
    if len(frames) != 1:
        return events.Unreadable(peer, "a message is one frame, not several", None)
    try:
        message = packed_snapshot.read(frames[0])
    except MessageError as problem:
        return events.Unreadable(peer, str(problem), problem.seq)
    return events.Arrived(peer, message, received.user, len(frames[0]))


def refused(event: events.CoreEvent, user: events.User | None) -> Rejection | None:
    """Tell whether a message is of no consequence, since its sender has no right to send it.

    Args:
        event: what came.
        user: whose key it came with; None: it needed none.

    Returns:
        The answer; None: it has to be decided on.
    """
    match event:
        case events.Arrived(message=message):
            return rights.refusal(message, user)
        case events.Unreadable(problem=problem) if not rights.may_publish(user):
            return Rejection(problem)
    return None


def write(files: PluginFiles, instruction: instructions.Write) -> events.CoreEvent:
    """Write a program for the plugin.

    Args:
        files: what the plugin reads.
        instruction: the program.

    Returns:
        What came of it.
    """
    try:
        files.write(instruction.program, rewrite_config=instruction.rewrite_config)
    except OSError as problem:
        return events.WriteFailed(explained(problem))
    return events.Written()


def is_bye(event: events.CoreEvent) -> bool:
    """Whether a worker says that it leaves."""
    return isinstance(event, events.Arrived) and isinstance(event.message, Bye)


def failure(instruction: instructions.Instruction, problem: Exception) -> events.CoreEvent | None:
    """Find the outcome of an instruction that raised something unforeseen.

    Args:
        instruction: what was to be done.
        problem: what was raised.

    Returns:
        An outcome that ends the publication; None: the instruction has no outcome.
    """
    detail = f"internal error: {problem!r}"
    match instruction:
        case instructions.Judge():
            return events.JudgeFailed(detail)
        case instructions.Compile():
            return events.CompileFailed(detail)
        case instructions.Write():
            return events.WriteFailed(detail)
        case instructions.SetAside():
            return events.FinishedAside(events.JudgeFailed(detail))
    return None
