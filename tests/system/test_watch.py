"""See and steer: `faustwire status`, `watch` and `follow` with real bridges."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from pathlib import Path

import msgpack
import pytest
import zmq

from bridges import Plugin, ServedBridge, eventually, served
from faustwire import codec
from faustwire.key_ring import RIGHTS, KeyRing
from faustwire.messages import Reason, Rejection, State, Watch
from faustwire_bridge.cli import main
from faustwire_bridge.monitor.watcher import Watcher
from peers import Peer, peer
from terminals import terminal

HOSTILE = "evil\x1b[2J\x1b]0;title\x07\u202e[bold]\r\nname"


@pytest.fixture
def bridge(plugin: Plugin) -> Iterator[ServedBridge]:
    with served(plugin) as bridge:
        yield bridge


@pytest.fixture
def anna(bridge: ServedBridge) -> Iterator[Peer]:
    with peer(bridge.endpoint, "anna") as anna:
        yield anna


def test_status_shows_who_is_there_and_what_plays(
    bridge: ServedBridge, anna: Peer, plugin: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    assert anna.update(0.5, {"loss": 0.25}).published
    assert main(["status", "--endpoint", bridge.endpoint]) == 0
    text = capsys.readouterr().out
    for words in ("anna, call 1", "gpu-3", "0.25", "1/1", str(plugin.dsp_path)):
        assert words in text
    # A folder of this test alone, which no plugin watches; what watches is known on Linux.
    assert ("once; no plugin watches" if sys.platform == "linux" else "1 reload") in text


def test_status_as_json_has_the_fields_of_state(
    anna: Peer, plugin: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the path of the .dsp, as on the machine itself; a loss of NaN is no JSON, but null."""
    anna.update(0.5, {"loss": float("nan")})
    assert main(["status", "--json", "--dsp-path", str(plugin.dsp_path)]) == 0
    state = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert set(state) == {field.name for field in fields(State)} | {"unix_time"}
    assert abs(state["unix_time"] - time.time()) < 60
    assert all(0 <= state["unix_time"] - each["unix_time"] < 60 for each in state["events"])
    assert state["workers"][0]["metrics"] == {"loss": None}
    assert state["workers"][0]["reason"] == "published"
    assert state["follow"] == {"kind": "latest", "name": "", "larger": False}


def test_follow_has_the_plugin_follow_another_worker_at_once(
    bridge: ServedBridge, anna: Peer, plugin: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--endpoint", bridge.endpoint]
    with peer(bridge.endpoint, "berta") as berta:
        assert main(["follow", "worker", "anna", *at]) == 0
        assert "anna" in capsys.readouterr().out
        assert anna.update(0.5).published
        assert berta.update(0.25).reason is Reason.NOT_FOLLOWED
        anna_plays = plugin.program()
        assert main(["follow", "worker", "berta", *at]) == 0
        eventually(lambda: plugin.program() != anna_plays, "berta's newest is written")
        assert main(["follow", *at]) == 0
        assert "worker berta" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (["worker", "ana"], "no worker is called 'ana'; connected: anna"),
        (["best", "los"], "no connected worker has sent a metric 'los'; sent so far: loss"),
    ],
)
def test_nobody_is_followed_only_by_those_who_mean_it(
    anna: Peer,
    bridge: ServedBridge,
    words: list[str],
    there: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A slip of the pen must not silence everybody."""
    anna.update(0.5, {"loss": 0.5})
    at = ["--endpoint", bridge.endpoint]
    assert main(["follow", *words, *at]) == 64
    assert there in capsys.readouterr().err
    assert anna.update(0.25).published, "the choice is the old one"
    assert main(["follow", *words, "--even-if-absent", *at]) == 0
    assert anna.update(0.125).reason is Reason.NOT_FOLLOWED
    assert main(["follow", "worker", "anna", *at]) == 0
    assert main(["follow", "best", "loss", *at]) == 0


def test_a_bridge_is_told_whom_to_follow_when_it_starts(
    plugin: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(plugin, "--follow", "best", "sdr", "larger") as bridge:
        assert main(["follow", "--endpoint", bridge.endpoint]) == 0
    assert capsys.readouterr().out == "best sdr larger\n"


@pytest.mark.parametrize(
    "arguments", [["serve", "--follow", "best"], ["follow", "worker"], ["follow", "anna"]]
)
def test_words_that_make_no_sense_are_told_what_would(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 64
    assert "worker NAME | best METRIC" in capfd.readouterr().err


@pytest.mark.parametrize("command", [["status"], ["watch"], ["follow", "latest"], ["follow"]])
def test_where_no_bridge_is_that_is_told_with_what_to_do(
    command: list[str], plugin: Plugin, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--timeout", "0.3", "--endpoint", "tcp://127.0.0.1:9"]) == 69
    assert "nobody listens" in capsys.readouterr().err
    assert main([*command, "--timeout", "0.3", "--dsp-path", str(plugin.dsp_path)]) == 69
    assert "start a training or `faustwire serve`" in capsys.readouterr().err


def test_the_environment_names_the_endpoint(
    bridge: ServedBridge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAUSTWIRE_ENDPOINT", bridge.endpoint)
    assert main(["status"]) == 0
    assert "no worker has come yet" in capsys.readouterr().out


def test_a_stopped_bridge_is_told_apart_from_none(
    bridge: ServedBridge, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge.process.send_signal(signal.SIGSTOP)
    try:
        assert main(["status", "--timeout", "1", "--endpoint", bridge.endpoint]) == 69
    finally:
        bridge.process.send_signal(signal.SIGCONT)
    assert "says nothing" in capsys.readouterr().err


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Something at an endpoint that gives one answer, as a bridge of another version would."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    bridge = context.socket(zmq.ROUTER)
    port = bridge.bind_to_random_port("tcp://127.0.0.1")

    def tell() -> None:
        assert bridge.poll(5000)
        who, _ = bridge.recv_multipart()
        bridge.send_multipart([who, answer])

    telling = threading.Thread(target=tell)
    telling.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        telling.join()
        bridge.close(linger=0)
        context.term()


def test_a_bridge_of_another_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """None is installed here, so its first message is written by hand."""
    with answering(msgpack.packb({"faustwire": "2\x1b[2J", "type": "state"})) as at:
        assert main(["status", "--timeout", "2", "--endpoint", at]) == 69
    told = capsys.readouterr().err
    assert "protocol version '2" in told
    assert "\x1b" not in told


def test_a_bridge_that_has_a_second_port_for_watchers_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Older ones have; this is how they answer on the first."""
    with answering(codec.encode(Rejection("unknown type of message 'watch'"))) as at:
        assert main(["status", "--timeout", "10", "--endpoint", at]) == 69
    assert "has a bridge of an older version: install the same" in capsys.readouterr().err


def test_who_asks_once_is_sent_one_state_whatever_happens(bridge: ServedBridge, anna: Peer) -> None:
    """And the next one as soon as it asks again; nothing has queued meanwhile."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as watcher:
        watcher.setsockopt(zmq.LINGER, 0)
        watcher.connect(bridge.endpoint)
        watcher.send(codec.encode(Watch()))
        first = codec.decode(watcher.recv())
        assert isinstance(first, State)
        for value in range(1, 6):
            anna.update(value / 8)
        assert not watcher.poll(500)
        watcher.send(codec.encode(Watch(first.number)))
        second = codec.decode(watcher.recv())
        assert isinstance(second, State)
        assert [worker.newest_call for worker in second.workers if worker.worker == "anna"] == [5]


# -- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rights", "codes"),
    [
        ({"watch"}, {"status": 0, "follow": 77}),
        ({"steer"}, {"status": 69, "follow": 0}),
        (set(RIGHTS), {"status": 0, "follow": 0}),
        (None, {"status": 69, "follow": 69}),
    ],
)
def test_each_right_is_needed(
    rights: set[str] | None,
    codes: dict[str, int],
    plugin: Plugin,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs, ours = KeyRing(tmp_path / "theirs"), KeyRing(tmp_path / "ours")
    if rights is not None:
        theirs.enrol("me", ours.pair()[0], frozenset(rights))
    with served(plugin, "--keys", str(theirs.folder)) as bridge:
        ours.trust(bridge.endpoint, theirs.pair()[0])
        at = ["--endpoint", bridge.endpoint, "--keys", str(ours.folder), "--timeout", "10"]
        assert main(["status", *at]) == codes["status"]
        assert main(["follow", "latest", *at]) == codes["follow"]
    told = capsys.readouterr().err
    assert ("keys enrol me --rights watch,steer" in told) is (codes["follow"] == 77)
    assert ("keys enrol me --rights steer,watch" in told) is (rights == {"steer"})
    assert ("does not let this machine's key in" in told) is (rights is None)


# -- watch -----------------------------------------------------------------------------------------


def test_watch_on_a_terminal_shows_what_happens_and_leaves_it_as_it_was(
    bridge: ServedBridge, anna: Peer
) -> None:
    with terminal("watch", "--endpoint", bridge.endpoint) as shown:
        shown.until("anna")
        anna.update(0.5, {"loss": 0.25})
        shown.until("anna, call 1")
        with peer(bridge.endpoint, HOSTILE):
            shown.until("x1b[2J")
            shown.read(0.3)
        shown.process.send_signal(signal.SIGTERM)
        assert shown.end() == 0
    # The other screen and back, and nothing of the name's own.
    assert shown.raw.count(b"\x1b[?1049h") == shown.raw.count(b"\x1b[?1049l") == 1
    assert b"\x1b[2J" not in shown.raw
    assert b"\x1b]0;" not in shown.raw


def test_watch_follows_the_size_of_the_terminal(bridge: ServedBridge, anna: Peer) -> None:
    with terminal("watch", "--endpoint", bridge.endpoint, columns=60, lines=12) as shown:
        assert "held back" not in shown.until("last verdict")
        shown.resize(160, 40)
        shown.until("held back")


def test_a_bridge_that_is_restarted_under_a_watcher_is_found_again(plugin: Plugin) -> None:
    with ExitStack() as stack:
        with served(plugin) as bridge:
            at = bridge.endpoint
            shown = stack.enter_context(terminal("watch", "--endpoint", at))
            shown.until("no worker has come yet")
            bridge.process.kill()
            bridge.process.wait()
            shown.until("nobody listens")
        with served(plugin, bind=at), peer(at, "berta"):
            shown.until("another bridge")
            shown.until("berta")


def test_watch_without_a_terminal_prints_events_as_lines_and_a_late_one_hears_the_last(
    bridge: ServedBridge, anna: Peer
) -> None:
    anna.update(0.5)
    command = [sys.executable, "-m", "faustwire_bridge", "watch", "--endpoint", bridge.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        joined, published = watching.stdout.readline(), watching.stdout.readline()
        assert ("joined" in joined, "anna" in joined) == (True, True)
        assert "published   anna #1" in published
        with peer(bridge.endpoint, HOSTILE):
            assert "x1b[2J" in watching.stdout.readline()
        assert "left" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0


def test_watch_waits_for_a_bridge_if_told_to(plugin: Plugin) -> None:
    arguments = ["--wait", "--timeout", "0.1", "--dsp-path", str(plugin.dsp_path)]
    with terminal("watch", *arguments) as shown:
        shown.until("no bridge keeps")
        with served(plugin):
            shown.until("no worker has come yet")


def test_a_pipe_that_is_closed_ends_watch_without_a_word(bridge: ServedBridge, anna: Peer) -> None:
    command = f"{sys.executable} -m faustwire_bridge watch --endpoint {bridge.endpoint} | head -n 1"
    with subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as watching:
        assert watching.stdout is not None
        assert "joined" in watching.stdout.readline()
        for value in range(1, 4):
            anna.update(value / 8)
        try:
            _, told = watching.communicate(timeout=10)
        finally:
            if watching.poll() is None:
                os.killpg(watching.pid, signal.SIGKILL)
    assert (watching.returncode, told) == (1, "")


def test_any_number_of_watchers_see_the_same(bridge: ServedBridge, anna: Peer) -> None:
    """Thirty of them, some late; none of them holds anybody up."""
    anna.update(0.5)
    with ExitStack() as stack:
        watchers = []
        for late in range(30):
            watchers.append(Watcher(bridge.endpoint, lambda _: None))
            stack.enter_context(closing(watchers[-1]))
            if late == 15:
                anna.update(0.25)
        for watcher in watchers:
            eventually(
                lambda watcher=watcher: _calls(watcher) == {"anna": 2},  # type: ignore[misc]
                "the newest state",
            )


def _calls(watcher: Watcher) -> dict[str, int | None]:
    message = watcher.receive(1.0)
    assert isinstance(message, State)
    return {worker.worker: worker.newest_call for worker in message.workers}
