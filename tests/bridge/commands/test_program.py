"""The program `faustwire`, run as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import msgpack
import pytest
import zmq

from bridges import DEADLINE, Plugin, alive, eventually, served
from faustwire import codec
from faustwire.messages import Hello, Message, Reason, Snapshot, Verdict, Welcome
from graphs import gain
from program import faustwire


class Peer:
    """A worker of bare sockets, as somebody might write one in another language."""

    def __init__(self, endpoint: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.rcvtimeo = int(DEADLINE * 1000)
        self.socket.connect(endpoint)

    def ask(self, data: bytes) -> Message:
        self.socket.send(data)
        return codec.decode(self.socket.recv())

    def close(self) -> None:
        self.socket.close()
        self.context.term()


def test_help_names_every_option_and_the_defaults() -> None:
    assert "serve" in faustwire("--help").stdout
    text = faustwire("serve", "--help").stdout
    for option in ("--dsp-path", "--config-path", "--bind", "--insecure", "--log-json"):
        assert option in text
    assert "/tmp/faust-current-dsp.txt" in text


def test_a_publisher_needs_nothing_but_msgpack_and_a_dealer(plugin: Plugin) -> None:
    """What docs/wire.md says is enough."""
    with served(plugin) as bridge:
        peer = Peer(bridge.endpoint)
        hello = {"faustwire": 1, "type": "hello", "worker": "basic", "incarnation": "1"}
        welcome = peer.ask(msgpack.packb(hello))
        assert isinstance(welcome, Welcome)
        assert welcome.dsp_path == str(plugin.dsp_path)
        snapshot = {
            "faustwire": 1,
            "type": "snapshot",
            "seq": 1,
            "call": 1,
            "fs": 48000,
            "graph": {"type": "gain", "matrix": [[0.5, 0], [0, 0.25]]},
        }
        verdict = peer.ask(msgpack.packb(snapshot))
        peer.close()
    assert isinstance(verdict, Verdict)
    assert verdict.published
    assert "0.25" in plugin.program()


def test_rubbish_gets_a_rejection_and_disturbs_nobody(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        good, bad = Peer(bridge.endpoint), Peer(bridge.endpoint)
        assert isinstance(good.ask(codec.encode(Hello("good", "1"))), Welcome)
        for rubbish in (b"", b"\xc1", b"\x00" * 1000, msgpack.packb({"faustwire": 9})):
            assert "detail" in vars(bad.ask(rubbish))
        bad.socket.send_multipart([b"two", b"frames"])
        assert "one frame" in vars(codec.decode(bad.socket.recv()))["detail"]
        verdict = good.ask(codec.encode(Snapshot(1, 1, 48000.0, gain(1))))
        assert isinstance(verdict, Verdict)
        assert verdict.published
        for peer in (good, bad):
            peer.close()


def test_a_resend_over_a_new_connection_is_answered_but_not_done_twice(plugin: Plugin) -> None:
    snapshot = codec.encode(Snapshot(1, 1, 48000.0, gain(1)))
    with served(plugin) as bridge:
        verdicts = []
        for _ in range(2):
            peer = Peer(bridge.endpoint)
            peer.ask(codec.encode(Hello("anna", "1")))
            verdicts.append(peer.ask(snapshot))
            peer.close()
        assert verdicts[0] == verdicts[1]
        assert bridge.log().count("published") == 1


def test_two_bridges_never_keep_the_same_dsp_and_the_error_names_the_other(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        link = plugin.folder / "link.dsp"
        link.symlink_to(plugin.dsp_path)
        other = str(plugin.folder / "other.txt")
        second = faustwire("serve", "--dsp-path", str(link), "--config-path", other)
        assert second.returncode == 75
        assert f"pid {bridge.process.pid}" in second.stderr
        assert bridge.endpoint in second.stderr
        assert "Traceback" not in second.stderr


def test_a_lock_of_a_bridge_that_was_killed_is_no_hindrance(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        bridge.process.kill()
        bridge.process.wait()
    assert plugin.place.lock_path.exists()
    with served(plugin):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(plugin: Plugin, number: signal.Signals) -> None:
    with served(plugin) as bridge:
        bridge.process.send_signal(number)
        assert bridge.process.wait(DEADLINE) == 0
        assert "stopped" in bridge.log()
        assert number.name in bridge.log()
        assert not plugin.place.socket_path.exists()
        assert not plugin.place.lock_path.exists()


def test_the_log_is_json_with_one_flag(plugin: Plugin) -> None:
    with served(plugin, "--log-json") as bridge:
        peer = Peer(bridge.endpoint)
        peer.ask(codec.encode(Hello("anna", "1")))
        peer.ask(codec.encode(Snapshot(1, 1, 48000.0, gain(1))))
        peer.close()
        entries = [json.loads(line) for line in bridge.log().splitlines()]
    events = {entry["event"]: entry for entry in entries}
    assert events["ready"]["dsp"] == str(plugin.dsp_path)
    assert events["published"]["worker"] == "anna"


def test_a_failure_that_repeats_is_logged_once(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        peer = Peer(bridge.endpoint)
        peer.ask(codec.encode(Hello("anna", "1")))
        for seq in range(1, 6):
            bad = {"faustwire": 1, "type": "snapshot", "seq": seq, "call": seq, "fs": 48000}
            verdict = peer.ask(msgpack.packb({**bad, "graph": {"type": "wire"}}))
            assert isinstance(verdict, Verdict)
            assert verdict.reason is Reason.REFUSED
        peer.close()
        assert bridge.log().count("unknown type of node") == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--bind", "tcp://0.0.0.0:0"], "--insecure"),
        (["--bind", "tcp://*:0"], "--insecure"),
        (["--bind", "localhost:5555"], "is not an endpoint"),
        (["--bind", "tcp://127.0.0.1:99999"], "a port is at most 65535"),
        (["--bind", "tcp://192.0.2.1:5555", "--insecure"], "can't listen"),
        (["--dsp-path", "/"], "is a directory"),
        (["--config-path", ""], "names no file"),
    ],
)
def test_arguments_that_make_no_sense_say_what_to_do(
    plugin: Plugin, arguments: list[str], problem: str
) -> None:
    paths = ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    result = faustwire("serve", *paths, *arguments)
    assert result.returncode == 64
    assert problem in result.stderr
    assert "Traceback" not in result.stderr
    assert not plugin.place.lock_path.exists()


def test_an_address_in_use_is_named(plugin: Plugin) -> None:
    with served(plugin) as bridge:
        other = Plugin(plugin.folder.parent)
        paths = ["--dsp-path", str(other.dsp_path), "--config-path", str(other.config_path)]
        result = faustwire("serve", *paths, "--bind", bridge.endpoint)
    assert result.returncode == 64
    assert f"can't listen on {bridge.endpoint}" in result.stderr


def test_beyond_loopback_takes_a_word(plugin: Plugin) -> None:
    with served(plugin, "--insecure", bind="tcp://0.0.0.0:0") as bridge:
        assert bridge.endpoint.startswith("tcp://0.0.0.0:")


def test_the_meeting_place_is_private(plugin: Plugin) -> None:
    with served(plugin):
        assert plugin.place.directory.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_an_idle_embedded_bridge_ends_by_itself(plugin: Plugin) -> None:
    with served(plugin, "--leave-when-idle") as bridge:
        peer = Peer(bridge.endpoint)
        peer.ask(codec.encode(Hello("anna", "1")))
        peer.close()
        pid = bridge.process.pid
        eventually(lambda: not alive(pid), "silence, then idleness")
        assert bridge.process.wait(DEADLINE) == 0


def test_the_audio_machine_needs_neither_torch_nor_flamo() -> None:
    program = "faustwire_bridge.commands.program"
    probe = f"import sys, {program}; print(*{{'torch', 'flamo'}} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


CONFIG = {"faustwire": 1, "name": "Hall", "fs": 48000, "graph": {"type": "gain", "matrix": [[0.5]]}}


def test_compile_writes_the_program_of_a_config(plugin: Plugin) -> None:
    config, output = plugin.folder / "hall.json", plugin.folder / "new" / "hall.dsp"
    config.write_text(json.dumps(CONFIG))
    result = faustwire("compile", str(config), "-o", str(output), "--control", "dry_wet")
    assert result.returncode == 0, result.stderr
    text = output.read_text()
    assert "0.5" in text
    assert "dry/wet" in text
    assert [path.name for path in output.parent.iterdir()] == ["hall.dsp"]
    plain = faustwire("compile", str(config), "--channels", "plugin")
    assert "1 in, 2 out" in plain.stdout


def test_compile_refuses_a_broken_config_with_its_path_and_keeps_the_old_file(
    plugin: Plugin,
) -> None:
    config, output = plugin.folder / "hall.json", plugin.folder / "hall.dsp"
    output.write_text("process = _;")
    for content, problem in (
        ("{", "not JSON"),
        (json.dumps({**CONFIG, "graph": {"type": "wire"}}), "unknown type of node"),
        (json.dumps({**CONFIG, "graph": {"type": "delay", "samples": [-1]}}), "delay"),
    ):
        config.write_text(content)
        result = faustwire("compile", str(config), "-o", str(output))
        assert result.returncode == 64
        assert problem in result.stderr
        assert "Traceback" not in result.stderr
    assert output.read_text() == "process = _;"
    assert faustwire("compile", str(plugin.folder / "none.json")).returncode == 64
    config.write_bytes(json.dumps({**CONFIG, "name": "Hülle"}, ensure_ascii=False).encode("latin1"))
    result = faustwire("compile", str(config))
    assert (result.returncode, "not JSON" in result.stderr) == (64, True), result.stderr
