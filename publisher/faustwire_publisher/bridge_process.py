"""A bridge on this machine, started when none keeps this ``.dsp`` yet.

It is started as a program, never imported, and belongs to nobody: every worker that names the same
``.dsp`` finds it, and it ends by itself when the last of them has gone.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress

from faustwire.errors import FaustwireError
from faustwire.rendezvous import Rendezvous

# The bridge's exit code where another was faster.
_LOCKED = 75


class EmbeddedBridge:
    """Starts the bridge of a rendezvous, again if need be.

    The child is not ours alone, so nothing here stops it; it notices when we are gone.
    """

    def __init__(self, place: Rendezvous, config_path: str, record: str | None = None) -> None:
        self._place = place
        self._config_path = config_path
        self._record = record
        self._child: subprocess.Popen[bytes] | None = None

    def revive(self) -> str | None:
        """Start a bridge if none listens and none is on its way.

        Returns:
            What is wrong, one line, if the last one did not live.
        """
        if self._listens():
            return None
        trouble = None
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return None
            if code not in (0, _LOCKED):
                trouble = f"a bridge could not be started: {self._last_words(code)}"
        try:
            self._child = self._start()
        except (OSError, FaustwireError) as problem:
            return f"a bridge could not be started: {problem}"
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
                # Ctrl-C in the training's terminal must not take the bridge before the last flush.
                start_new_session=True,
            )
        # It may end long before us, and must not stay a zombie.
        threading.Thread(target=child.wait, name="faustwire-reaper", daemon=True).start()
        return child

    def _last_words(self, code: int) -> str:
        try:
            lines = self._place.log_path.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else f"it ended with code {code}"
