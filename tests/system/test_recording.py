"""A real bridge records real trainings, whatever happens to it, and costs them nothing."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zmq

from bridges import Plugin, eventually, served
from faustwire import codec, recording
from faustwire.header import Header, read_header
from faustwire.messages import (
    Bye,
    Choice,
    Event,
    Follow,
    Hello,
    Ping,
    Reason,
    Rejection,
    Snapshot,
    Steered,
    Verdict,
)
from faustwire.recording import index, layout, writer
from faustwire_bridge.core import events
from faustwire_bridge.recordings import journal
from faustwire_bridge.recordings.offline import decide_again
from faustwire_publisher import HotReload
from models import Knob
from mutations import Mutations
from peers import peer
from program import faustwire
from recorded_warnings import recorded_warnings
from small_disk import small_disk

SECOND = 10**9


class Run:
    """Steps a model, and keeps how each call ended."""

    def __init__(self, live: HotReload) -> None:
        self.live, self.knob = live, Knob()
        self.reasons: list[Reason] = []

    def step(self) -> None:
        self.knob.step()
        self.live.update(self.knob.model, metrics={"loss": 0.5})
        self.reasons.append(self.live.last.reason)


def snapshots(items: list[recording.Item], worker: str) -> list[Snapshot]:
    mine = [item for item in items if item.topic == "in" and item.metadata["worker"] == worker]
    messages = [codec.decode(item.data) for item in mine]
    return [message for message in messages if isinstance(message, Snapshot)]


def verdicts(items: list[recording.Item], worker: str) -> list[Verdict]:
    mine = [item for item in items if item.topic == "out" and item.metadata["worker"] == worker]
    messages = [codec.decode(item.data) for item in mine]
    return [message for message in messages if isinstance(message, Verdict)]


def recorded_events(items: list[recording.Item]) -> list[Event]:
    messages = [codec.decode(item.data) for item in items if item.topic == "event"]
    return [message for message in messages if isinstance(message, Event)]


def test_every_call_of_every_worker_is_recorded_with_its_verdict(
    plugin: Plugin, tmp_path: Path
) -> None:
    """Also those that would not even be sent, were nobody recording."""
    with served(plugin, "--record", str(tmp_path / "run")) as bridge:
        workers = [HotReload(48000, endpoint=bridge.endpoint, worker=n) for n in ("ann", "bob")]
        runs = [Run(live) for live in workers]
        for _ in range(25):
            for run in runs:
                run.step()
        for run in runs:
            run.live.close()
    read = recording.Recording(tmp_path / "run")
    items = list(read)
    assert read.damage == []
    for worker, run in zip(("ann", "bob"), runs, strict=True):
        assert [snapshot.call for snapshot in snapshots(items, worker)] == list(range(1, 26))
        assert [verdict.reason for verdict in verdicts(items, worker)] == run.reasons
        found = read.find(20, worker)
        assert found is not None
        assert read_header(found.data) == Header("snapshot", 20, 20)
        hello = recording.hello(found.metadata)
        assert hello is not None
        assert codec.decode(items[0].data) == hello or worker == "bob"
    kinds = Counter(event.kind for event in recorded_events(items))
    assert kinds["joined"] == kinds["left"] == 2
    published = sum(run.reasons.count(Reason.PUBLISHED) for run in runs)
    assert kinds["published"] == published > 0
    assert {item.topic for item in items} == {"in", "out", "event", "core"}
    assert read.metadata["dsp_path"] == str(plugin.dsp_path)


def test_a_killed_bridge_leaves_all_but_the_last_second(plugin: Plugin, tmp_path: Path) -> None:
    with served(plugin, "--record", str(tmp_path / "run")) as bridge:
        live = HotReload(48000, endpoint=bridge.endpoint, worker="ann", timeout=10.0)
        run, answered = Run(live), []
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            run.step()
            answered.append(time.time_ns())
            time.sleep(0.005)
        bridge.process.kill()
        killed_ns = time.time_ns()
        with recorded_warnings():
            live.close()
    read = recording.Recording(tmp_path / "run")
    items = list(read)
    due = sum(at_ns < killed_ns - SECOND for at_ns in answered)
    calls = [snapshot.call for snapshot in snapshots(items, "ann")]
    assert calls == list(range(1, len(calls) + 1))
    assert due <= len(calls) <= len(answered)
    assert due <= len(verdicts(items, "ann"))
    assert "not closed" in str(read.damage[-1])


@pytest.mark.slow
def test_a_full_disk_stops_the_recording_and_nothing_else(plugin: Plugin, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k"):
        target = tmp_path / "disk" / "run.mcap"
        with (
            served(plugin, "--record", str(target)) as bridge,
            recorded_warnings() as told,
            HotReload(48000, endpoint=bridge.endpoint, worker="ann", min_interval=0) as live,
        ):
            run = Run(live)

            def has_stopped() -> bool:
                run.step()
                return "recording has stopped" in bridge.log()

            eventually(has_stopped, "the disk is full")
            for _ in range(10):
                run.step()
        assert set(run.reasons) == {Reason.PUBLISHED}
        # At full speed the plugin loses some of its audio, which is told as well.
        assert [line for line in told if "of the audio" not in line] == []
        assert bridge.log().count("recording has stopped") == 1
        assert "No space left on device" in bridge.log()
        assert bridge.log().count("recording-stopped") == 1
        read = recording.Recording(target)
        calls = [snapshot.call for snapshot in snapshots(list(read), "ann")]
        assert calls == list(range(1, len(calls) + 1))
        assert len(calls) > 20


def test_only_what_is_published_is_recorded_if_so_told(plugin: Plugin, tmp_path: Path) -> None:
    arguments = ("--record", str(tmp_path / "run"), "--record-published")
    with (
        served(plugin, *arguments) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, worker="ann", min_interval=0.3) as live,
    ):
        run = Run(live)
        for _ in range(100):
            run.step()
            time.sleep(0.01)
    items = list(recording.Recording(tmp_path / "run"))
    published = [n for n, reason in enumerate(run.reasons, 1) if reason is Reason.PUBLISHED]
    assert 2 <= len(published) < 20
    assert [snapshot.call for snapshot in snapshots(items, "ann")] == published


def test_a_recording_that_cannot_be_made_is_told_at_the_start(
    plugin: Plugin, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(AssertionError, match=r"the bridge did not start: .*Not a directory"),
        served(plugin, "--record", str(tmp_path / "file" / "run")),
    ):
        pass


def test_junk_is_recorded_as_it_came_and_decided_again(plugin: Plugin, tmp_path: Path) -> None:
    """Nearly messages from a worker and from strangers, some of many frames."""
    junk = Mutations(5)
    sent = [junk.message(number) for number in range(400)]
    with (
        served(plugin, "--record", str(tmp_path / "run"), "--no-compile-gate") as bridge,
        zmq.Context() as context,
    ):
        for number in range(4):
            with context.socket(zmq.DEALER) as socket:
                socket.connect(bridge.endpoint)
                if number % 2:
                    socket.send(codec.encode(Hello("junk", f"junk-{number}")))
                for data in sent[number::4]:
                    socket.send_multipart([data] if len(data) % 7 else [data, b""])
                eventually(partial(_all_is_read, socket, number), "all of it is read")
    read = recording.Recording(tmp_path / "run")
    taken = Counter(item.data for item in read if item.topic == "in")
    assert taken >= Counter(data for data in sent if len(data) % 7)
    assert read.damage == []
    assert decide_again([tmp_path / "run"], tmp_path / "again").differences == []


def _all_is_read(socket: zmq.Socket[bytes], number: int) -> bool:
    """Whether the bridge answers what was sent last.

    Not each answer comes: of a peer that does not read its answers the bridge keeps few.
    """
    socket.send(codec.encode(Follow(Choice("worker", f"end-{number}"))))
    while socket.poll(500):
        answer = codec.decode(socket.recv())
        if isinstance(answer, Steered) and f"end-{number}" in answer.detail:
            return True
    return False


def test_the_page_on_recordings_names_all_that_is_in_one(
    plugin: Plugin, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """And what it shows of the reader runs."""
    page = (Path(__file__).parents[2] / "docs" / "recording.md").read_text()
    monkeypatch.chdir(tmp_path)
    with (
        served(plugin, "--record", "runs") as bridge,
        HotReload(48000, endpoint=bridge.endpoint, worker="run-7") as live,
    ):
        Run(live).step()
    read = recording.Recording("runs")
    names = {*read.metadata, "crc32"} | {name for item in read for name in item.metadata}
    names |= {"user", "rights", *recording.channels.TOPICS}
    for name, event in journal._TYPES.items():
        kept = () if event is events.Judged else fields(event)
        names |= {name, *(field.name for field in kept)}
    assert {name for name in names if f"`{name}`" not in page} == set()
    for option in ("--record", "--record-published", "--record-size", "--record-age"):
        assert option in page
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(block, {})  # noqa: S102
    assert "run-7" in capsys.readouterr().out
    limits = (index.MAX_CHUNKS, index.MAX_CHANNELS, index.MAX_CHANNEL_BYTES, layout.MAX_CHUNK_BYTES)
    assert limits == (2**18, 2**14, 16 * 2**20, 32 * 2**20)
    assert "2¹⁸ chunks, 2¹⁴ channels, 16 MiB of their metadata, 64 KiB of one" in page
    assert f"after {writer.MAX_CHANNELS} channels or {writer.MAX_CHUNKS} chunks" in page


def test_a_recording_that_was_just_made_is_complete(plugin: Plugin, tmp_path: Path) -> None:
    """When close returns; the bridge still has the file open, and every reader says so."""
    target = tmp_path / "run.mcap"
    with HotReload(48000, record=target, worker="ann", **plugin.paths) as live:
        run = Run(live)
        for _ in range(20):
            run.step()
    read = recording.Recording(target)
    pid = plugin.bridge_pid()
    assert [f"with pid {pid}" in line for line in read.unfinished] == [True]
    items = list(read)
    assert read.damage == []
    assert [snapshot.call for snapshot in snapshots(items, "ann")] == list(range(1, 21))
    assert [verdict.reason for verdict in verdicts(items, "ann")] == run.reasons
    assert [event.kind for event in recorded_events(items)][-1] == "left"
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # It would leave while they read.
    for command in (["replay", "--offline", str(tmp_path / "again")], ["inspect"]):
        told = faustwire(*command, str(target))
        assert told.returncode == 0, told.stderr
        assert f"run.mcap is still being written by the bridge with pid {pid}" in told.stderr
        assert "damaged" not in told.stdout
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: not recording.Recording(target).unfinished, "the bridge has gone")


def test_a_bye_puts_all_before_it_into_the_file(plugin: Plugin, tmp_path: Path) -> None:
    """Before the bridge answers anything else, so that whoever asks it can wait for that."""
    with (
        served(plugin, "--record", str(tmp_path / "run")) as bridge,
        peer(bridge.endpoint, "ann") as worker,
    ):
        worker.send(Bye())
        assert isinstance(worker.ask(Ping()), Rejection)
        read = recording.Recording(tmp_path / "run")
        assert [event.kind for event in recorded_events(list(read))] == ["joined", "left"]
