"""A bridge on this machine, started when there is none for this ``.dsp`` yet.

It is started as a program, never imported, and no worker owns it: every worker that names the same
``.dsp`` finds it, and it ends by itself when the last of them has left.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from faustwire.errors import FaustwireError, explained
from faustwire.rendezvous import Rendezvous

# The exit code of a bridge that finds another one for its .dsp.
_LOCKED = 75


class EmbeddedBridge:
    """Starts the bridge of a rendezvous, again if it has ended.

    Other workers may use it, so nothing here stops it; it ends when all of them have left.
    """

    def __init__(
        self,
        place: Rendezvous,
        config_path: str,
        record: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """Nothing is started yet.

        Args:
            place: the ``.dsp`` and where its workers meet.
            config_path: the plugin's config file, an absolute path.
            record: where to record to, an absolute path; None: nowhere.
            options: further options of ``faustwire serve``.
        """
        self._place = place
        self._config_path = config_path
        self._record = record
        self._options = tuple(options)
        self._child: subprocess.Popen[bytes] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A process can't be copied, and need not be: whoever needs a bridge finds it, or starts it.
        return {**self.__dict__, "_child": None}

    def revive(self) -> str | None:
        """Start a bridge if none listens and none is starting.

        Returns:
            Why the last one did not start, one line; None: nothing is wrong.
        """
        if self._listens():
            return None
        trouble = None
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return None
            if code not in (0, _LOCKED):
                trouble = f"a bridge could not be started: {self._last_log_line(code)}"
        try:
            self._child = self._start()
        except (OSError, FaustwireError, RuntimeError) as problem:
            # RuntimeError: the interpreter is ending, and some versions of Python, such as 3.12.0,
            # start no process then.
            return f"a bridge could not be started: {explained(problem)}"
        return trouble

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(os.fspath(self._place.socket_path))
            return True
        return False

    def _start(self) -> subprocess.Popen[bytes]:
        self._place.prepare()
        command = [sys.executable, "-m", "faustwire_bridge", "serve", "--leave-when-idle"]
        command += ["--log-level", "warning"]
        command += ["--dsp-path", os.fspath(self._place.dsp_path)]
        command += ["--config-path", self._config_path]
        command += [] if self._record is None else ["--record", self._record]
        command += self._options
        with self._place.log_path.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                # Its matrices are small; threads that wait for each other would fight the
                # training for its cores.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                # Ctrl-C in the training's terminal must not end the bridge before the last flush.
                start_new_session=True,
            )
        # It may end long before this process, and must not stay a zombie.
        # RuntimeError: the interpreter is ending, and the process is about to be nobody's child.
        with suppress(RuntimeError):
            threading.Thread(target=child.wait, name="faustwire-reaper", daemon=True).start()
        return child

    def _last_log_line(self, code: int) -> str:
        try:
            lines = self._place.log_path.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else f"it ended with code {code}"
