"""Paths of files that people name: real, and not led astray by another user."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from faustwire import rendezvous as meeting
from faustwire.errors import RecordingError
from faustwire.file_path import (
    PathError,
    check_ours,
    expanded,
    file_path,
    owner_name,
    target_path,
)
from faustwire.recording import Recording
from faustwire.rendezvous import rendezvous
from other_user import give_away
from source_tree import files_with


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory in which everybody may create files, as in /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def test_links_and_relative_paths_lead_to_the_real_file(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (shared / "one").symlink_to("../real")
    (shared / "two").symlink_to(shared / "one" / "live.dsp")
    monkeypatch.chdir(shared)
    for name in ("two", "./two", "one/live.dsp", "one/../real/live.dsp", str(shared / "two")):
        assert file_path(name, "dsp_path") == tmp_path / "real" / "live.dsp"


def test_a_link_of_another_user_is_refused_where_everybody_may_put_one(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (shared / "live.dsp").symlink_to(target)
    assert file_path(shared / "live.dsp", "dsp_path") == target  # The control: our own link.
    give_away(monkeypatch, shared / "live.dsp")
    owner = owner_name((shared / "live.dsp").lstat().st_uid)
    with pytest.raises(PathError, match=rf"the link .*live\.dsp belongs to {owner}"):
        file_path(shared / "live.dsp", "dsp_path")


@pytest.mark.parametrize("named", ["first", "first/../home", "way"])
def test_a_link_on_the_way_is_a_link_too(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "way").symlink_to(shared / "first")
    (shared / "first").symlink_to(tmp_path / "home")
    path = (shared if named.startswith("first") else tmp_path) / named / "live.dsp"
    assert file_path(path, "dsp_path") == tmp_path / "home" / "live.dsp"
    give_away(monkeypatch, shared / "first")
    with pytest.raises(PathError, match=r"the link .*first belongs to"):
        file_path(path, "dsp_path")


def test_a_file_of_another_user_is_refused_where_everybody_may_put_one(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shared / "config.txt"
    file.write_text("")
    assert file_path(file, "config_path") == file
    give_away(monkeypatch, file)
    with pytest.raises(
        PathError, match=r"config_path: the file .* belongs to .* name another file"
    ):
        file_path(file, "config_path")


@pytest.mark.parametrize("mode", [0o755, 0o1755, 0o777])
def test_elsewhere_others_files_are_the_owners_business(
    shared: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    file = shared / "live.dsp"
    file.write_text("")
    give_away(monkeypatch, file)
    shared.chmod(mode)
    assert file_path(file, "dsp_path") == file


@pytest.mark.parametrize("what", ["recording", "socket"])
def test_what_is_no_file_of_ours_is_refused_there_too(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (shared / "run").mkdir()
    (shared / "way").symlink_to(tmp_path)
    for path in (shared / "run", shared / "way", shared / "new", tmp_path):
        check_ours(path, what, "--record")
    give_away(monkeypatch, shared / "run", shared / "way")
    for path, kind in ((shared / "run", what), (shared / "way", "link")):
        with pytest.raises(PathError, match=rf"--record: the {kind} .* belongs to"):
            check_ours(path, what, "--record")


def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    """As root, /dev/null was."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    assert file_path(tmp_path / "file", "dsp_path") == tmp_path / "file"
    for path in (tmp_path / "pipe", tmp_path / "link", "/dev/null"):
        with pytest.raises(PathError, match="is a device, a socket or a pipe"):
            file_path(path, "dsp_path")


@pytest.mark.parametrize("name", [b"two\nlines", b"no \xff utf-8"])
def test_where_a_path_leads_has_to_be_on_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """The plugin's config has one line for it."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    for path in ("live.dsp", tmp_path / "link" / "live.dsp"):
        with pytest.raises(PathError, match="can't be on one line"):
            file_path(path, "dsp_path")


def test_links_in_a_circle_end(shared: Path) -> None:
    (shared / "a").symlink_to("b")
    (shared / "b").symlink_to("a")
    assert file_path(shared / "a", "dsp_path").parent == shared
    assert target_path(shared / "a", "recording", "record").parent == shared
    with pytest.raises((OSError, RecordingError)):
        Recording(shared / "a")


def test_without_a_home_directory_a_tilde_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert expanded("~/live.dsp", "dsp_path").is_absolute()
    monkeypatch.delenv("HOME", raising=False)

    def nobody(uid: int) -> object:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(PathError, match="the home directory of this user is not known"):
        file_path("~/live.dsp", "dsp_path")
    assert owner_name(os.getuid()) == f"user {os.getuid()}"


@pytest.mark.parametrize("name", ['a"b.dsp', "a\\b.dsp", "a\tb.dsp", "a\x1bb.dsp"])
def test_a_name_that_libfaust_aborts_on_is_refused_at_once(tmp_path: Path, name: str) -> None:
    assert rendezvous(tmp_path / "a'b ü.dsp").dsp_path.parent == tmp_path
    with pytest.raises(PathError, match="libfaust can't take a file name"):
        rendezvous(tmp_path / name)


def test_nobody_else_resolves_what_people_name() -> None:
    assert files_with(r"\.expanduser\(\)") == ["wire/faustwire/file_path.py"]
    assert meeting.DSP_PATH == "/tmp/adac-live.dsp"
