"""One bridge for each ``.dsp``: a lock file that names its holder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from faustwire.errors import FaustwireError
from faustwire.file_lock import HeldError, file_lock, write_note
from faustwire.rendezvous import Rendezvous


class LockedError(FaustwireError, RuntimeError):
    """Another bridge serves this ``.dsp``."""


@contextmanager
def locked(place: Rendezvous) -> Iterator[int]:
    """Hold the ``.dsp`` while the block runs; the system releases it when the process dies.

    Yields:
        The lock file's descriptor, for ``sign``.

    Raises:
        LockedError: another bridge holds it, and which.
    """
    with ExitStack() as stack:
        try:
            held = stack.enter_context(file_lock(place.lock_path, prepare=place.prepare))
        except HeldError as problem:
            raise LockedError(
                f"{place.dsp_path} is kept by another bridge ({_holder(problem.note)}): use that "
                "one, stop it, or choose another --dsp-path"
            ) from None
        yield held


def sign(
    descriptor: int, endpoints: Sequence[str], config_path: str, gates: Mapping[str, Any]
) -> None:
    """Write into the lock file who holds it, for the next bridge and for workers.

    Args:
        descriptor: of the lock file.
        endpoints: where this bridge listens.
        config_path: the plugin's config file.
        gates: the options that decide which programs are written, by name.
    """
    signature = {"pid": os.getpid(), "endpoints": list(endpoints), "config_path": config_path}
    write_note(descriptor, json.dumps({**signature, "gates": dict(gates)}).encode())


def _holder(note: bytes) -> str:
    try:
        signature = json.loads(note)
        return f"pid {signature['pid']}, endpoints {', '.join(signature['endpoints'])}"
    except (ValueError, KeyError, TypeError):
        return "it is just starting"
