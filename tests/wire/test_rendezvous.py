"""The directory of sockets is looked at before anything is sent to one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zmq

from faustwire import HotReload, Replay
from faustwire import rendezvous as meeting
from faustwire.file_path import PathError
from faustwire.messages import Hello
from faustwire.rendezvous import Rendezvous, prepare_endpoint, rendezvous
from faustwire_bridge import cli
from faustwire_publisher.client import Client
from other_user import give_away
from recordings import record, snapshot

COMMANDS = (
    ["status", "--timeout", "1"],
    ["watch", "--timeout", "1"],
    ["follow", "latest", "--timeout", "1"],
    ["doctor", "--timeout", "1"],
)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Rendezvous:
    """A meeting place in a directory of the test's own, short enough for a socket."""
    root = tmp_path_factory.mktemp("r")
    monkeypatch.setattr(meeting, "_ROOT", root)
    monkeypatch.delenv("FAUSTWIRE_ENDPOINT", raising=False)
    return rendezvous(root / "live.dsp")


@contextmanager
def impostor(place: Rendezvous) -> Iterator[zmq.Socket[bytes]]:
    """A socket where that of a bridge would be."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    try:
        socket.bind(f"ipc://{place.directory}/{place.key}.socket")
        yield socket
    finally:
        socket.close(linger=0)
        context.term()


def options(place: Rendezvous) -> list[str]:
    return ["--dsp-path", str(place.dsp_path)]


def test_it_is_made_private_and_stays(place: Rendezvous) -> None:
    place.check()
    assert not place.directory.exists()
    place.prepare()
    place.clear()
    assert place.directory.stat().st_mode & 0o777 == 0o700
    place.directory.chmod(0o755)
    place.check()
    prepare_endpoint(place.endpoint)
    assert place.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o1777])
def test_where_others_can_write_nothing_is_connected_to(place: Rendezvous, mode: int) -> None:
    place.prepare()
    place.directory.chmod(mode)
    for refuse in (place.check, place.prepare, lambda: prepare_endpoint(place.endpoint)):
        with pytest.raises(PathError, match=r"others can write to .*: end your bridges and remove"):
            refuse()


def test_a_socket_that_another_user_has_put_where_everybody_may_is_not_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "bridge.socket").touch()
    prepare_endpoint(f"ipc://{shared}/bridge.socket")
    prepare_endpoint("tcp://127.0.0.1:5555")
    give_away(monkeypatch, shared / "bridge.socket")
    with pytest.raises(PathError, match=r"the socket .* belongs to"):
        prepare_endpoint(f"ipc://{shared}/bridge.socket")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_connects_to_what_another_user_made(
    place: Rendezvous,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["faustwire"])
    place.prepare()
    with impostor(place) as socket:
        cli.main([*command, *options(place)])
        assert socket.poll(5000), "the control: in our own directory it is connected to"
    give_away(monkeypatch, place.directory)
    place = rendezvous(place.dsp_path)
    if not place.directory.exists():
        pytest.skip("only root can give a directory away")
    capsys.readouterr()
    with impostor(place) as socket:
        assert cli.main([*command, *options(place)]) != 0
        assert not socket.poll(200)
    told = capsys.readouterr()
    assert "belongs to user 61234" in told.out + told.err


def made_by_a_stranger(place: Rendezvous, monkeypatch: pytest.MonkeyPatch) -> None:
    place.prepare()
    give_away(monkeypatch, place.directory)
    if not rendezvous(place.dsp_path).directory.exists():
        pytest.skip("only root can give a directory away")


@pytest.mark.parametrize("kind", ["HotReload", "Replay"])
def test_neither_hot_reload_nor_replay_does(
    place: Rendezvous, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: dict[str, Any] = {
        "dsp_path": place.dsp_path,
        "config_path": tmp_path / "config.txt",
    }
    made_by_a_stranger(place, monkeypatch)
    with impostor(place) as socket:
        recorded = record(tmp_path / "r", [snapshot(1)]).folder
        makers: dict[str, Callable[..., object]] = {
            "HotReload": partial(HotReload, 48_000),
            "Replay": partial(Replay, recorded),
        }
        with pytest.raises(PathError, match="belongs to user 61234"):
            makers[kind](**paths)
        assert not socket.poll(200)


def test_a_worker_that_connects_again_looks_again(
    place: Rendezvous, monkeypatch: pytest.MonkeyPatch
) -> None:
    hello = Hello("anna", "1")
    place.prepare()
    with impostor(place) as socket:
        client = Client(place.endpoint, hello)
        try:
            assert socket.poll(10_000), "the control"
        finally:
            client.close()
    made_by_a_stranger(place, monkeypatch)
    with impostor(place) as socket:
        client = Client(place.endpoint, hello)
        try:
            assert not socket.poll(500)
            assert "belongs to user 61234" in (client.trouble or "")
        finally:
            client.close()
