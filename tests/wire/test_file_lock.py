"""Locks between processes end with their holder, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faustwire.file_lock import HeldError, file_lock, write_note
from faustwire.key_ring import KeyFileError, KeyRing
from source_tree import files_with

HOLD = """
import sys, time
from pathlib import Path
from faustwire.file_lock import file_lock, write_note
with file_lock(Path(sys.argv[1])) as descriptor:
    write_note(descriptor, b"held by a test")
    print("held", flush=True)
    sys.stdin.read()
"""
# Holds the lock of a file of keys in the middle of a change.
EDIT = """
import sys
from faustwire.key_ring import KeyRing
with KeyRing(sys.argv[1])._edited("bridges") as lines:
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock until its input ends, or it is killed."""
    command = [sys.executable, "-c", script, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()
            process.wait()


def test_one_holds_it_and_says_who(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with holder(HOLD, path), pytest.raises(HeldError) as told, file_lock(path):
        pass
    assert told.value.note == b"held by a test"
    assert path.exists()  # Left by the kill.


def test_what_a_kill_leaves_behind_is_taken_over_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with holder(HOLD, path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.exists()
    with file_lock(path):
        pass
    assert not path.exists()


def test_whoever_waits_gets_it_when_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with holder(HOLD, path) as process:
        assert process.stdin is not None
        process.stdin.close()
        with file_lock(path, patience_seconds=20.0) as descriptor:
            write_note(descriptor, b"mine")
            assert path.read_bytes() == b"mine"


def test_patience_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with holder(HOLD, path):
        begun = time.monotonic()
        with pytest.raises(HeldError), file_lock(path, patience_seconds=0.2):
            pass
        assert time.monotonic() >= begun + 0.2


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "a.lock").symlink_to(target)
    with pytest.raises(OSError, match=r"a\.lock"), file_lock(tmp_path / "a.lock"):
        pass
    assert target.read_text() == "precious"


def test_nobody_can_get_at_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with file_lock(tmp_path / "a.lock"):
            assert (tmp_path / "a.lock").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_keys_can_be_changed_after_a_kill_in_the_middle_of_a_change(tmp_path: Path) -> None:
    keyring = KeyRing(tmp_path / "keys")
    with holder(EDIT, keyring.folder) as process:
        with pytest.raises(KeyFileError, match="another `faustwire keys` is at work"):
            keyring.trust("tcp://studio:5555", bytes(32))  # The control: the lock holds.
        process.send_signal(signal.SIGKILL)
        process.wait()
    keyring.trust("tcp://studio:5555", bytes(32))
    assert keyring.bridges() == {"tcp://studio:5555": bytes(32)}
    assert [path.name for path in keyring.folder.iterdir()] == ["bridges"]


def test_keys_can_be_changed_over_a_half_written_file(tmp_path: Path) -> None:
    keyring = KeyRing(tmp_path / "keys")
    keyring.folder.mkdir(mode=0o700)
    (keyring.folder / ".bridges.new").write_text("tcp://half")
    keyring.trust("tcp://studio:5555", bytes(32))
    assert keyring.bridges() == {"tcp://studio:5555": bytes(32)}


def test_nobody_else_locks_files() -> None:
    assert files_with(r"flock\(|lockf\(") == ["wire/faustwire/file_lock.py"]
