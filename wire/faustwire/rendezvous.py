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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faustwire.endpoint import of_socket, parse
from faustwire.file_path import PathError, check_ours, file_path, owner_name

# The reference's default, and what the plugin has hard-wired.
DSP_PATH = "/tmp/adac-live.dsp"  # noqa: S108
CONFIG_PATH = "/tmp/faust-current-dsp.txt"  # noqa: S108
# Not $TMPDIR: two shells may differ in it and must still meet. The plugin's own config file is
# hard-wired to /tmp, too. Short, because a socket's path has at most 104 bytes on macOS.
_ROOT = Path("/tmp")  # noqa: S108 - made private in `_prepare`


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

        It is kept when nothing uses it any more: in its absence another user could make one, and
        workers that connect again would send their models there.

        Raises:
            PathError: another user made it first, or others can write to it.
        """
        _prepare(self.directory)

    def check(self) -> None:
        """Check that nobody but this user can be behind the socket; without a directory nobody is.

        Raises:
            PathError: another user owns the directory, or others can write to it.
        """
        _check(self.directory)

    def clear(self) -> None:
        """Remove the log."""
        self.log_path.unlink(missing_ok=True)


@dataclass(frozen=True)
class PagePlace:
    """Where the page that plays a bridge on this machine is found again; see ``page_place``."""

    directory: Path
    key: str

    @property
    def lock_path(self) -> Path:
        """Locked for as long as the page is served; holds its link."""
        return self.directory / f"{self.key}.page"

    @property
    def log_path(self) -> Path:
        """The log of a server that was started by a training."""
        return self.directory / f"{self.key}.page.log"

    def prepare(self) -> None:
        """Make the directory, for this user alone.

        Raises:
            PathError: another user made it first, or others can write to it.
        """
        _prepare(self.directory)


def page_place(endpoint: str) -> PagePlace:
    """The place of the page that plays a bridge.

    Args:
        endpoint: of the bridge.
    """
    key = hashlib.sha256(os.fsencode(endpoint)).hexdigest()[:16]
    return PagePlace(_directory(), key)


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
    return Rendezvous(real, _directory(), key)


def prepare_endpoint(endpoint: str) -> None:
    """Make sure, before a connection, that another user can't have put its socket there.

    Args:
        endpoint: where somebody is about to connect; nothing is known of one elsewhere.

    Raises:
        PathError: another user owns the directory of a rendezvous, or others can write to it; or,
            in a directory in which everybody may create files, the socket is another user's.
    """
    path = Path(parse(endpoint).path)
    if path.parent == _directory():
        _prepare(path.parent)
    elif path.name:
        check_ours(path, "socket", "endpoint")


def _directory() -> Path:
    return _ROOT / f"faustwire-{os.getuid()}"


def _prepare(directory: Path) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    _check(directory)
    if directory.lstat().st_mode & 0o077:
        directory.chmod(0o700)


def _check(directory: Path) -> None:
    try:
        status = directory.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PathError(
            f"{directory} belongs to {owner_name(status.st_uid)}, so what listens there may not be "
            "a bridge of yours: have it removed"
        )
    if status.st_mode & 0o022:
        raise PathError(
            f"others can write to {directory}, so what listens there may not be a bridge of yours: "
            f"end your bridges and remove it (rm -r {directory})"
        )
