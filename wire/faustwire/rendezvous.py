"""Where workers and the bridge of this machine meet: a socket and a lock for each ``.dsp``.

Both sides derive the place from the real path of the ``.dsp``, so it need not be configured. It is
not in the plugin's directory, which should hold nothing but the plugin's files.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faustwire.endpoint import of_socket
from faustwire.errors import FaustwireError

# The reference's default, and what the plugin has hard-wired.
DSP_PATH = "/tmp/adac-live.dsp"  # noqa: S108
CONFIG_PATH = "/tmp/faust-current-dsp.txt"  # noqa: S108
# Not $TMPDIR: two shells may differ in it and must still meet. The plugin's own config file is
# hard-wired to /tmp, too. Short, because a socket's path has at most 104 bytes on macOS.
_ROOT = Path("/tmp")  # noqa: S108 - made private in `prepare`


class PathError(FaustwireError, ValueError):
    """A path that can't be used for one of the plugin's files."""


@dataclass(frozen=True)
class Keeper:
    """What a bridge has written into the lock of its ``.dsp`` about itself.

    Attributes:
        pid: its process.
        config_path: the plugin's config file that it keeps; None: it does not say.
        gates: its options that decide which programs are written, by name.
    """

    pid: int
    config_path: str | None
    gates: Mapping[str, Any]


@dataclass(frozen=True)
class Rendezvous:
    """The meeting place for one ``.dsp``; ``dsp_path`` is its real path."""

    dsp_path: Path
    directory: Path
    key: str

    @property
    def socket_path(self) -> Path:
        """The Unix socket that the bridge binds."""
        return self.directory / f"{self.key}.socket"

    @property
    def endpoint(self) -> str:
        """The endpoint of that socket."""
        return of_socket(self.socket_path)

    @property
    def lock_path(self) -> Path:
        """Locked for as long as a bridge runs; names its process."""
        return self.directory / f"{self.key}.lock"

    @property
    def log_path(self) -> Path:
        """The log of a bridge that was started by a worker, not by a person."""
        return self.directory / f"{self.key}.log"

    def keeper(self) -> Keeper | None:
        """The bridge that has signed the lock; None: none has. It may be dead."""
        try:
            said = json.loads(self.lock_path.read_text())
            return Keeper(int(said["pid"]), said.get("config_path"), dict(said.get("gates", {})))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def prepare(self) -> None:
        """Make the directory, for this user alone.

        Raises:
            PathError: somebody else made it first.
        """
        self.directory.mkdir(mode=0o700, exist_ok=True)
        status = self.directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise PathError(
                f"{self.directory} belongs to somebody else, so a bridge's socket would not be "
                "safe there: remove it"
            )
        if status.st_mode & 0o077:
            self.directory.chmod(0o700)

    def clear(self) -> None:
        """Remove the log, and the directory unless other bridges still use it."""
        self.log_path.unlink(missing_ok=True)
        with suppress(OSError):
            self.directory.rmdir()


def rendezvous(dsp_path: str | Path) -> Rendezvous:
    """The meeting place for a ``.dsp``; the same for every link or relative path to it.

    Args:
        dsp_path: as a person wrote it.

    Raises:
        PathError: the path names no file, or one whose name libfaust can't take.
    """
    real = file_path(dsp_path, "dsp_path")
    if not real.name.isprintable() or any(character in real.name for character in '"\\'):
        # The name is the first part of every slider's address, which is quoted without escapes.
        raise PathError(
            f"dsp_path={str(dsp_path)!r}: libfaust can't take a file name with a quotation mark, a "
            "backslash, a tab or another control character: choose another"
        )
    key = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    return Rendezvous(real, _ROOT / f"faustwire-{os.getuid()}", key)


def file_path(path: str | Path, argument: str) -> Path:
    """The real, absolute path of a file that may not exist yet.

    The plugin resolves relative paths against the DAW's directory and does not notice when the
    target of a link is replaced: it has to be told the real path.

    Args:
        path: as given by a person.
        argument: what to call it in an error.

    Raises:
        PathError: it names a directory, nothing, or can't be one line of text.
    """
    text = os.fspath(path)
    if not isinstance(text, str) or not text.strip() or not _one_line(text):
        raise PathError(f"{argument}={text!r} names no file: give a path such as /tmp/live.dsp")
    real = Path(os.path.realpath(Path(text).expanduser()))
    if text.endswith(os.sep) or not real.name or real.is_dir():
        raise PathError(f"{argument}={text!r} is a directory: name a file in it")
    if real.name != real.name.strip():
        # The plugin trims the line that names the file.
        raise PathError(f"{argument}={text!r} begins or ends with a space, which the plugin trims")
    return real


def _one_line(text: str) -> bool:
    # Lone surrogates stand for bytes that are no text; neither a config line nor a message has any.
    return not any(character in "\0\n\r" or "\ud800" <= character <= "\udfff" for character in text)
