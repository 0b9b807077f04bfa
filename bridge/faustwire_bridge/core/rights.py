"""Which right each message needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from faustwire.messages import Follow, Listen, Rejection, Watch
from faustwire.packed_snapshot import Incoming
from faustwire_bridge.core.events import User

# All other messages are a worker's. Text of its own is one, which needs "text" as well: who may not
# send it is told so in its verdict.
_RIGHTS: Mapping[type[Incoming], str] = {Follow: "steer", Watch: "watch", Listen: "watch"}


def refusal(message: Incoming, user: User | None) -> Rejection | None:
    """Check whether somebody may send a message.

    Args:
        message: what came.
        user: whose key it came with; None: it needed none, and every right is granted.

    Returns:
        The answer to somebody who may not; None: it is allowed.
    """
    right = _RIGHTS.get(type(message), "publish")
    if user is None or right in user.rights:
        return None
    rights = ",".join((*sorted(user.rights), right))
    return Rejection(
        f"the key of {user.name!r} is not enrolled to {right}; to let it, run there: "
        f"faustwire keys enrol {user.name} --rights {rights}"
    )


def may_publish(user: User | None) -> bool:
    """Whether somebody may be a worker.

    Args:
        user: whose key it is; None: none is needed.
    """
    return user is None or "publish" in user.rights


def text_problem(user: User | None) -> str | None:
    """Check whether somebody who may publish may publish Faust text of its own.

    Args:
        user: whose key it came with; None: it needed none, and every right is granted.

    Returns:
        Why not, and what to do; None: it is allowed.
    """
    if user is None or "text" in user.rights:
        return None
    rights = ",".join((*sorted(user.rights), "text"))
    return (
        f"the key of {user.name!r} may publish models, and no Faust text of its own; to let it, "
        f"run on the bridge's machine: faustwire keys enrol {user.name} --rights {rights}"
    )
