"""Endpoints: one rule for what people may write, wherever they write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from faustwire.endpoint import (
    MAX_PORT,
    Endpoint,
    EndpointError,
    normal,
    of_socket,
    parse,
    to_connect,
)
from faustwire.key_ring import KeyFileError, KeyRing
from faustwire_bridge.service.listener import BindError, check_endpoint
from faustwire_publisher.arguments import remote_endpoint
from faustwire_publisher.errors import ArgumentError
from source_tree import files_with

NONE = (
    "",
    "studio",
    "studio:5555",
    "http://studio:5555",
    "tcp://studio",
    "tcp://:5555",
    "tcp://studio:",
    "tcp://studio:x",
    "tcp://studio:²",
    "tcp://studio:-1",
    "tcp://studio:5555 ",
    "tcp://stu dio:5555",
    "ipc://",
    "ipc://@abstract",
    "ipc:///tmp/\udcff.socket",
    "tcp://\udcff:5555",
    "tcp://studio:65536",
    "tcp://studio:70000",
)


def test_an_endpoint_is_taken_apart() -> None:
    assert parse("tcp://studio:5555") == Endpoint("tcp", "studio", 5555)
    assert parse("tcp://[fe80::1]:5555") == Endpoint("tcp", "fe80::1", 5555)
    assert parse("tcp://*:0") == Endpoint("tcp", "*", 0)
    assert parse("ipc:///tmp/a b.socket") == Endpoint("ipc", path="/tmp/a b.socket")
    assert parse(of_socket(Path("/tmp/x"))).path == "/tmp/x"


def test_a_bridge_needs_one_port_so_the_last_one_will_do() -> None:
    assert parse("tcp://studio:65535").port == MAX_PORT


def test_hosts_are_compared_without_case_and_paths_with_it() -> None:
    assert normal("tcp://Studio:5555") == "tcp://studio:5555"
    assert normal("ipc:///tmp/X") == "ipc:///tmp/X"


def test_only_this_machine_reaches_what_is_local() -> None:
    local = ("tcp://127.0.0.1:1", "tcp://127.1.2.3:1", "tcp://localhost:1", "tcp://[::1]:1")
    assert all(parse(each).is_local for each in (*local, "ipc:///tmp/x"))
    assert not any(
        parse(each).is_local for each in ("tcp://*:1", "tcp://0.0.0.0:1", "tcp://[::]:1")
    )


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_endpoint_is_refused_alike_by_all_who_ask(text: str, tmp_path: Path) -> None:
    keyring = KeyRing(tmp_path)
    for ask, error in (
        (parse, EndpointError),
        (to_connect, EndpointError),
        (remote_endpoint, ArgumentError),
        (lambda text: check_endpoint(text, safe=True), BindError),
        (lambda text: keyring.trust(text, bytes(32)), KeyFileError),
    ):
        with pytest.raises(error):
            ask(text)


@pytest.mark.parametrize("text", ["tcp://studio:0", "tcp://*:5555"])
def test_what_can_only_be_listened_at_is_not_connected_to(text: str, tmp_path: Path) -> None:
    check_endpoint(text, safe=True)
    with pytest.raises(EndpointError, match="can be listened at but not connected to"):
        to_connect(text)
    with pytest.raises(ArgumentError):
        remote_endpoint(text)
    with pytest.raises(KeyFileError):
        KeyRing(tmp_path).trust(text, bytes(32))


def test_nobody_else_takes_endpoints_apart_or_puts_them_together() -> None:
    telltale = (
        r"""partition\(["']://|startswith\(["'](tcp|ipc):|f["'](tcp|ipc)://\{(?!host|socket\.)"""
        r"""|\.compile\(r?["'](tcp|ipc)|endpoint\[:3\]|6553[456]\b|int\(port\)"""
    )
    assert files_with(telltale) == ["wire/faustwire/endpoint.py"]
