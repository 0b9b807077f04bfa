"""The .dsp and the config, as the plugin needs them."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from bridges import DEADLINE, Plugin
from faustwire.file_path import PathError
from faustwire.rendezvous import rendezvous
from faustwire_bridge.service.plugin_files import PluginFiles

PROGRAM = "process = _,_;\n"


def files(plugin: Plugin) -> PluginFiles:
    return PluginFiles(plugin.place, plugin.config_path)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_the_program_and_the_line_that_names_it_are_written(plugin: Plugin) -> None:
    files(plugin).write(PROGRAM, rewrite_config=False)
    assert plugin.program() == PROGRAM
    assert plugin.config_path.read_text() == f"{plugin.dsp_path}\n"


def test_parents_are_made(plugin: Plugin) -> None:
    deep = Plugin(plugin.folder / "a" / "b")
    PluginFiles(deep.place, plugin.folder / "c" / "config.txt").write(PROGRAM, rewrite_config=False)
    assert deep.program() == PROGRAM


def test_a_config_that_is_right_is_left_alone_unless_told_otherwise(plugin: Plugin) -> None:
    written = files(plugin)
    written.write(PROGRAM, rewrite_config=False)
    before = identity(plugin.config_path)
    written.write("process = _;", rewrite_config=False)
    assert identity(plugin.config_path) == before
    written.write("process = !;", rewrite_config=True)
    assert identity(plugin.config_path) != before


def test_the_plugin_trims_the_line_so_a_padded_one_is_right(plugin: Plugin) -> None:
    plugin.dsp_path.write_text("old")
    plugin.config_path.write_text(f"  {plugin.dsp_path} \r\nmine\n")
    before = identity(plugin.config_path)
    files(plugin).write(PROGRAM, rewrite_config=False)
    assert identity(plugin.config_path) == before


@pytest.mark.parametrize("mine", [b"", b"one\ntwo", b"\xff\xfe\n\n\r\nlast\n"])
def test_the_other_lines_of_the_config_are_the_users(plugin: Plugin, mine: bytes) -> None:
    plugin.config_path.write_bytes(b"/some/other.dsp\n" + mine)
    files(plugin).write(PROGRAM, rewrite_config=False)
    assert plugin.config_path.read_bytes() == os.fsencode(plugin.dsp_path) + b"\n" + mine


def test_a_pipe_in_the_configs_place_keeps_nobody_waiting(plugin: Plugin) -> None:
    """Put there after the bridge has started, for instance by another user in /tmp."""
    written = files(plugin)
    os.mkfifo(plugin.config_path)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(written.write, PROGRAM, rewrite_config=True)
        try:
            with pytest.raises(OSError, match="it is not a regular file"):
                writing.result(DEADLINE)
        finally:
            with suppress(OSError):
                os.close(os.open(plugin.config_path, os.O_WRONLY | os.O_NONBLOCK))
    plugin.config_path.unlink()
    written.write(PROGRAM, rewrite_config=True)
    assert plugin.config_path.read_text() == f"{plugin.dsp_path}\n"


def test_a_config_without_end_is_not_read(plugin: Plugin) -> None:
    with plugin.config_path.open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(OSError, match="longer than"):
        files(plugin).write(PROGRAM, rewrite_config=True)


def test_new_files_get_the_umasks_mode_so_that_the_daw_can_read_them(plugin: Plugin) -> None:
    with umask(0o022):
        files(plugin).write(PROGRAM, rewrite_config=False)
    for path in (plugin.dsp_path, plugin.config_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_mode_of_a_file_that_was_there_is_kept(plugin: Plugin) -> None:
    for path in (plugin.dsp_path, plugin.config_path):
        path.write_text("old\n")
        path.chmod(0o640)
    files(plugin).write(PROGRAM, rewrite_config=False)
    for path in (plugin.dsp_path, plugin.config_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_followed_because_the_plugin_watches_the_real_file(plugin: Plugin) -> None:
    target = plugin.folder / "target.dsp"
    target.write_text("old")
    link = plugin.folder / "link.dsp"
    link.symlink_to(target)
    PluginFiles(rendezvous(link), plugin.config_path).write(PROGRAM, rewrite_config=False)
    assert link.is_symlink()
    assert target.read_text() == PROGRAM
    assert plugin.config_path.read_text() == f"{target}\n"


def test_a_relative_path_is_written_absolute(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plugin.folder)
    PluginFiles(rendezvous("live.dsp"), "config.txt").write(PROGRAM, rewrite_config=False)
    assert (plugin.folder / "config.txt").read_text() == f"{plugin.dsp_path}\n"


def test_every_write_is_a_new_file_never_a_changed_one(plugin: Plugin) -> None:
    """A reader that holds the old file open goes on reading the old program."""
    written = files(plugin)
    written.write(PROGRAM, rewrite_config=False)
    with plugin.dsp_path.open() as reader:
        written.write("process = !;" * 1000, rewrite_config=False)
        assert reader.read() == PROGRAM


def test_a_failed_write_leaves_the_old_files_and_no_other(plugin: Plugin) -> None:
    written = files(plugin)
    written.write(PROGRAM, rewrite_config=False)
    with pytest.raises(UnicodeEncodeError):
        written.write("\ud800", rewrite_config=False)
    assert plugin.program() == PROGRAM
    assert len(list(plugin.folder.iterdir())) == 2


def test_what_a_killed_bridge_left_is_cleared(plugin: Plugin) -> None:
    written = files(plugin)
    written.write(PROGRAM, rewrite_config=False)
    leftovers = [Path(written._dsp.temporary), Path(written._config.temporary)]
    for leftover in leftovers:
        leftover.write_text("half a prog")
    again = files(plugin)
    again.clear_leftovers()
    assert not any(leftover.exists() for leftover in leftovers)
    assert plugin.program() == PROGRAM


def test_a_link_in_the_temporarys_place_is_not_followed(plugin: Plugin) -> None:
    victim = plugin.folder / "victim"
    victim.write_text("precious")
    written = files(plugin)
    Path(written._dsp.temporary).symlink_to(victim)
    written.write(PROGRAM, rewrite_config=False)
    assert victim.read_text() == "precious"
    assert plugin.program() == PROGRAM
    assert not plugin.dsp_path.is_symlink()


def test_a_directory_made_anew_is_named_by_its_other_spelling(plugin: Plugin) -> None:
    """The plugin watches anew only where the config's path changes; the inode may be the same."""
    program = plugin.folder / "live" / "live.dsp"
    place = rendezvous(program)
    written = PluginFiles(place, plugin.config_path)
    spellings = []
    with closing(written):
        for _ in range(4):
            written.write(PROGRAM, rewrite_config=False)
            written.write(PROGRAM, rewrite_config=False)
            spellings.append(plugin.config_path.read_text().strip())
            shutil.rmtree(program.parent)
            program.parent.mkdir()
    plain, other = str(program), f"{program.parent}/./{program.name}"
    assert spellings == [plain, other, plain, other]


@pytest.mark.parametrize("named", ["{0}/{1}", "{0}/./{1}"])
def test_a_directory_made_anew_before_the_bridge_began_is_named_by_its_other_spelling(
    plugin: Plugin, named: str
) -> None:
    """A run's folder is removed between two runs, while the DAW goes on."""
    program = plugin.folder / "run" / "live.dsp"
    line = named.format(program.parent, program.name)
    plugin.config_path.write_text(f"{line}\n")
    with closing(PluginFiles(rendezvous(program), plugin.config_path)) as written:
        written.write(PROGRAM, rewrite_config=True)
    now = plugin.config_path.read_text().strip()
    assert now != line
    assert now in (str(program), f"{program.parent}/./{program.name}")
    with closing(PluginFiles(rendezvous(program), plugin.config_path)) as written:
        written.write(PROGRAM, rewrite_config=True)
    assert plugin.config_path.read_text().strip() == now, "the control: the program was there"


def test_a_config_that_names_the_other_spelling_is_right(plugin: Plugin) -> None:
    plugin.config_path.write_text(f"{plugin.folder}/./{plugin.dsp_path.name}\nmine\n")
    before = identity(plugin.config_path)
    files(plugin).write(PROGRAM, rewrite_config=False)
    written = files(plugin)
    written.write(PROGRAM, rewrite_config=False)
    assert plugin.config_path.read_text().endswith("mine\n")
    assert identity(plugin.config_path) != before, "the program was not there yet"
    before = identity(plugin.config_path)
    written.write("process = !;", rewrite_config=False)
    assert identity(plugin.config_path) == before


def test_the_config_is_written_again_where_the_program_was_missing(plugin: Plugin) -> None:
    """A DAW that started meanwhile watches nothing until then."""
    written = files(plugin)
    with closing(written):
        written.write(PROGRAM, rewrite_config=False)
        before = identity(plugin.config_path)
        plugin.dsp_path.unlink()
        written.write(PROGRAM, rewrite_config=False)
    assert identity(plugin.config_path) != before


def test_a_change_by_somebody_else_is_noticed(plugin: Plugin) -> None:
    written = files(plugin)
    assert not written.intact()
    written.write(PROGRAM, rewrite_config=False)
    assert written.intact()
    plugin.dsp_path.write_text("process = 0;")
    assert not written.intact()
    written.write(PROGRAM, rewrite_config=False)
    plugin.dsp_path.unlink()
    assert not written.intact()


@pytest.mark.parametrize(
    "path", ["", "  ", "/", "/tmp/", "a\nb.dsp", "a\0.dsp", "a\udcff.dsp", "/tmp/x.dsp "]
)
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        rendezvous(path)


def test_links_and_relative_paths_meet_at_the_same_place(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = plugin.folder / "link.dsp"
    link.symlink_to(plugin.dsp_path)
    monkeypatch.chdir(plugin.folder)
    assert rendezvous(link) == rendezvous("live.dsp") == plugin.place


def held(path: Path) -> list[str]:
    """Of the files that this process refers to, those that are or were at this path."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(descriptor.readlink()))
    return [each for each in found if each.startswith(str(path))]


def test_what_was_replaced_is_freed_when_nobody_waits(plugin: Plugin) -> None:
    with closing(files(plugin)) as written:
        for program in ("process = _;", "process = !;", "process = 0;"):
            written.write(program, rewrite_config=False)
            # One at a time, however many are written in a row.
            assert len(held(plugin.dsp_path)) <= 1
        assert plugin.program() == "process = 0;"
        written.tidy()
        assert not held(plugin.dsp_path)
        written.write("process = 1;", rewrite_config=False)
    assert not held(plugin.dsp_path)


def test_a_write_that_fails_holds_nothing(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(files(plugin)) as written:
        written.write(PROGRAM, rewrite_config=False)
        monkeypatch.setattr(os, "replace", full_disk)
        with pytest.raises(OSError, match="No space"):
            written.write("process = !;", rewrite_config=False)
        assert not held(plugin.dsp_path)
        assert plugin.program() == PROGRAM


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
