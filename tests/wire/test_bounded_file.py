"""Files that others may have put there: read whole, without waiting, up to a size."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from faustwire.bounded_file import UnusableFileError, read_bounded

DEADLINE = 10.0


def test_a_file_is_read_up_to_the_limit_and_not_beyond(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    content, status = read_bounded(path, 100)
    assert content == b"x" * 100
    assert os.path.samestat(status, path.stat())
    with pytest.raises(UnusableFileError, match="longer than 99 bytes"):
        read_bounded(path, 99)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 100)


def test_a_pipe_or_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_bounded, pipe, 100)
        try:
            with pytest.raises(UnusableFileError, match="not a regular file"):
                reading.result(DEADLINE)
        finally:
            with suppress(OSError):  # Lets go of a reader that waits.
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    with pytest.raises(UnusableFileError, match="not a regular file"):
        read_bounded(tmp_path, 100)
