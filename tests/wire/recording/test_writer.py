"""Writing: nothing older than a second is lost, no file is overwritten, and nothing raises."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from bridges import eventually
from faustwire import recording
from recordings import START_NS, record, snapshot, worker
from small_disk import small_disk

SECOND = 10**9
# Records the number of a message and its time as fast as asked to, and says so after each.
WRITER = """
import os, sys, time
from faustwire import recording
folder, pause = sys.argv[1], float(sys.argv[2])
writer = recording.RecordingWriter(folder, time.time_ns(), {})
channel = recording.of_bridge("in")
ticked = 0.0
number = 0
ends = time.monotonic() + 20  # Should nobody come to kill it.
while time.monotonic() < ends:
    number += 1
    now_ns = time.time_ns()
    writer.write(now_ns, channel, number.to_bytes(8, "big") + os.urandom(100))
    os.write(1, now_ns.to_bytes(8, "big"))
    until = time.monotonic() + pause
    while True:
        if time.monotonic() - ticked >= 0.5:
            writer.tick(time.time_ns())
            ticked = time.monotonic()
        if time.monotonic() >= until:
            break
        time.sleep(min(0.05, pause))
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_all_but_the_last_second(tmp_path: Path) -> None:
    """Real processes, killed at moments nobody chose: in a hurry, busy, and rarely called."""
    moments = Random(1)  # noqa: S311 - no secret
    with ExitStack() as stack:
        runs = []
        for number, pause in enumerate((0.0, 0.001, 0.3) * 2):
            folder = tmp_path / str(number)
            command = [sys.executable, "-c", WRITER, str(folder), str(pause)]
            with (tmp_path / f"{number}.told").open("wb") as told:
                writer = subprocess.Popen(command, stdout=told)
            stack.callback(writer.kill)
            runs.append((moments.uniform(0.8, 3.0), folder, writer))
        told_of = [folder.with_suffix(".told") for _, folder, _ in runs]
        eventually(lambda: all(path.stat().st_size for path in told_of), "each has begun")
        started = time.monotonic()
        for moment, folder, writer in sorted(runs, key=lambda run: run[0]):
            time.sleep(max(0.0, started + moment - time.monotonic()))
            writer.send_signal(signal.SIGKILL)
            killed_ns = time.time_ns()
            writer.wait(10)
            check_what_is_left(folder, killed_ns)


def check_what_is_left(folder: Path, killed_ns: int) -> None:
    told = folder.with_suffix(".told").read_bytes()
    times = [int.from_bytes(told[at : at + 8], "big") for at in range(0, len(told) - 7, 8)]
    read = recording.Recording(folder)
    found = [int.from_bytes(item.data[:8], "big") for item in read]
    assert found == list(range(1, len(found) + 1))
    assert sum(at_ns < killed_ns - SECOND for at_ns in times) <= len(found)
    assert "not closed" in str(read.damage[-1])


def test_it_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    writer = recording.RecordingWriter(tmp_path, START_NS, {})
    for number in range(40):
        writer.write(START_NS + number * SECOND // 4, worker("a"), bytes([number]))
        read = [item.data for item in recording.Recording(tmp_path)]
        assert read == [bytes([n]) for n in range(len(read))]
        assert len(read) >= number - 2
    writer.close()


def test_a_quiet_recording_is_handed_over_by_the_clock(tmp_path: Path) -> None:
    writer = recording.RecordingWriter(tmp_path, START_NS, {})
    writer.write(START_NS, worker("a"), b"x")
    writer.tick(START_NS + SECOND // 2 - 1)
    assert list(recording.Recording(tmp_path)) == []
    writer.tick(START_NS + SECOND // 2)
    assert len(list(recording.Recording(tmp_path))) == 1
    size = writer.path.stat().st_size
    writer.tick(START_NS + 2 * SECOND)
    assert writer.path.stat().st_size == size
    writer.close()


@pytest.mark.parametrize(
    ("rotation", "count"),
    [
        (recording.Rotation(max_bytes=200_000), 6),
        (recording.Rotation(max_seconds=10.0), 6),
        (recording.Rotation(), 1),
    ],
)
def test_files_follow_each_other(tmp_path: Path, rotation: recording.Rotation, count: int) -> None:
    """Each can be read by itself, and together they are the whole in the order of time."""
    items = [snapshot(n, size=1000) for n in range(1000)]
    written = record(tmp_path / "run", items, seconds=0.06, rotation=rotation)
    paths = written.paths
    assert len(paths) == count
    assert paths == sorted(paths, key=lambda path: path.stat().st_mtime_ns)
    assert all(path.stat().st_size < rotation.max_bytes + 2**17 for path in paths)
    backwards = recording.Recording(reversed(paths))
    assert backwards.paths == paths
    assert [item.data for item in backwards] == [data for _, data in items]
    apart = [list(recording.Recording(path)) for path in paths]
    assert [item for part in apart for item in part] == list(backwards)
    for number, path in enumerate(paths, 1):
        said = recording.Recording(path).metadata
        assert said["part"] == str(number)
        assert said["libfaust"] == "2.81"
        assert said["recording"] == backwards.metadata["recording"]
    middle = START_NS + 30 * SECOND
    assert [item.data for item in backwards.items(middle, middle + SECOND)] == [
        data for at_ns, _, data in written.items if middle <= at_ns <= middle + SECOND
    ]


def test_a_crowd_of_channels_begins_another_file(tmp_path: Path) -> None:
    items = [(worker("a", incarnation=str(n)), b"x") for n in range(5000)]
    written = record(tmp_path / "run", items, seconds=0.0001)
    assert len(written.paths) == 2
    assert len(list(recording.Recording(written.folder))) == 5000


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Two recordings that begin in the same second, and files that somebody else has put there."""
    first = record(tmp_path / "run", [snapshot(1)])
    (tmp_path / "run" / first.paths[0].name.replace("0001", "0002")).symlink_to("/dev/null")
    second = record(tmp_path / "run", [snapshot(2)])
    assert [path.name[-9:] for path in second.paths] == ["0001.mcap", "0002.mcap", "0003.mcap"]
    read = recording.Recording([first.paths[0], second.paths[2]])
    assert {item.data for item in read} == {snapshot(1)[1], snapshot(2)[1]}


def test_a_file_of_ones_own_is_followed_by_numbered_ones(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "run.mcap"
    rotation = recording.Rotation(max_seconds=1.0)
    record(target, [snapshot(n) for n in range(5)], seconds=0.5, rotation=rotation)
    names = sorted(path.name for path in target.parent.iterdir())
    assert names == ["run.mcap", "run_0002.mcap", "run_0003.mcap"]
    before = target.read_bytes()
    record(target, [snapshot(9)])
    assert target.read_bytes() == before
    paths = sorted(target.parent.iterdir())
    assert paths[-1].name == "run_0004.mcap"
    assert [len(list(recording.Recording(path))) for path in paths] == [2, 2, 1, 1]


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        recording.RecordingWriter(tmp_path / "file" / "folder", START_NS, {})


@pytest.mark.parametrize("size", ["64k", "300k", "1m"])
def test_a_full_disk_stops_the_recording_once_and_leaves_it_readable(
    tmp_path: Path, size: str
) -> None:
    with small_disk(tmp_path / "disk", size):
        writer = recording.RecordingWriter(tmp_path / "disk", START_NS, {})
        items = [snapshot(n, size=1000) for n in range(2000)]
        problems = set()
        for number, (channel, data) in enumerate(items):
            writer.write(START_NS + number * SECOND // 100, channel, data)
            problems.add(writer.problem)
        writer.tick(START_NS + 100 * SECOND)
        writer.close()
        told = problems - {None}
        assert told == {writer.problem}
        assert "No space left on device" in str(writer.problem)
        assert "publishing goes on" in str(writer.problem)
        read = recording.Recording(tmp_path / "disk")
        found = [item.data for item in read]
        assert found == [data for _, data in items[: len(found)]]
        used = writer.path.stat().st_size
        assert len(found) * 1000 > 0.8 * used - 50_000
        (damage,) = read.damage
        assert "not closed" in damage.what


def test_a_disk_that_is_full_when_another_file_is_begun_stops_it_too(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k"):
        rotation = recording.Rotation(max_seconds=1.0)
        writer = recording.RecordingWriter(tmp_path / "disk", START_NS, {}, rotation=rotation)
        writer.write(START_NS, worker("a"), b"x")
        writer.tick(START_NS + SECOND // 2)
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "disk" / "ballast").write_bytes(bytes(2**20))
        writer.write(START_NS + 2 * SECOND, worker("a"), b"y")
        writer.write(START_NS + 3 * SECOND, worker("a"), b"z")
        assert "No space left" in str(writer.problem)
        read = recording.Recording(tmp_path / "disk")
        assert [item.data for item in read] == [b"x"]
        assert read.damage == []


def test_who_does_not_record_does_not_pay_for_it() -> None:
    """Neither the bridge nor a training loads what writes and reads recordings."""
    program = """
        import sys
        import faustwire_bridge.commands.program
        import faustwire_publisher
        faustwire_bridge.commands.program._parser()
        assert not {"mcap", "zstandard", "lz4"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)
