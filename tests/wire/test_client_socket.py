"""Why a connection does not stand is told in words; every cause is a real one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq
from zmq.auth.thread import ThreadAuthenticator

from faustwire.client_socket import EVENTS, Link

DEADLINE = 5.0
Pair = tuple[bytes, bytes]


class Machine:
    """A context, and the sockets that are bound in it."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.bound: list[zmq.Socket[bytes]] = []

    def router(self, keys: Pair | None = None) -> str:
        server = self.context.socket(zmq.ROUTER)
        self.bound.append(server)
        if keys is not None:
            server.curve_publickey, server.curve_secretkey = keys
            server.curve_server = True
            server.zap_domain = b"bridge"
        return f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}"

    def end(self) -> None:
        for server in self.bound:
            server.close(linger=0)
        self.context.term()


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.end()


@contextmanager
def connected(
    machine: Machine,
    endpoint: str,
    kind: int = zmq.DEALER,
    keys: tuple[bytes, Pair] | None = None,
) -> Iterator[tuple[Link, zmq.Socket[bytes]]]:
    """A socket that connects to an endpoint, and what its monitor tells."""
    client = machine.context.socket(kind)
    client.setsockopt(zmq.HANDSHAKE_IVL, 200)
    client.setsockopt(zmq.RECONNECT_IVL, 20)
    if keys is not None:
        client.curve_serverkey, (client.curve_publickey, client.curve_secretkey) = keys
    monitor = client.get_monitor_socket(EVENTS)
    client.connect(endpoint)
    try:
        yield Link(endpoint, secured=keys is not None), monitor
    finally:
        client.disable_monitor()
        monitor.close()
        client.close(linger=0)


def until(link: Link, monitor: zmq.Socket[bytes], words: str | None) -> None:
    """Read the monitor until the link's trouble contains some words; None: until it is up."""
    end = time.monotonic() + DEADLINE
    while link.trouble is not None if words is None else words not in (link.trouble or ""):
        assert time.monotonic() < end, link.trouble
        monitor.poll(20)
        link.read(monitor)


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A TCP server that is no bridge: it says something and hangs up, or says nothing."""
    taken: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            if answer is None:
                taken.append(connection)
                continue
            with connection:
                connection.recv(10)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in taken:
        connection.close()


def test_a_connection_that_stands_has_no_trouble(machine: Machine) -> None:
    with connected(machine, machine.router()) as (link, monitor):
        assert "no answer" in str(link.trouble)
        until(link, monitor, None)
        assert link.up


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("tcp://127.0.0.1:9", "nobody listens"),
        ("tcp://no-such-host.invalid:5555", "no address is known"),
        ("ipc:///tmp/faustwire-no-such-socket", "no bridge listens"),
    ],
)
def test_nobody_there_is_told_with_what_to_do(machine: Machine, endpoint: str, words: str) -> None:
    with connected(machine, endpoint) as (link, monitor):
        until(link, monitor, words)
        assert endpoint in str(link.trouble)
        assert not link.ended


def test_a_way_that_swallows_everything_is_told() -> None:
    """Loopback has none, so here the event of a real one is handed over."""
    link = Link("tcp://192.0.2.1:5555")
    link.note_event(zmq.Event.CONNECT_DELAYED, 115)
    assert "firewall" in str(link.trouble)


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "says nothing"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not a faustwire bridge")],
)
def test_something_else_there_is_told(machine: Machine, answer: bytes | None, words: str) -> None:
    with listening(answer) as endpoint, connected(machine, endpoint) as (link, monitor):
        until(link, monitor, words)


def test_a_socket_of_another_kind_is_told(machine: Machine) -> None:
    with connected(machine, machine.router(), zmq.SUB) as (link, monitor):
        until(link, monitor, "check the port")
        assert link.ended


def test_a_lost_connection_is_told_and_then_why_it_does_not_come_back(machine: Machine) -> None:
    other = Machine()
    with connected(machine, other.router()) as (link, monitor):
        until(link, monitor, None)
        other.end()
        until(link, monitor, "nobody listens")


OURS, THEIRS, STRANGERS = (zmq.curve_keypair() for _ in range(3))


@pytest.mark.parametrize(
    ("keys", "secured", "words", "ended"),
    [
        ((THEIRS[0], OURS), True, None, False),
        ((THEIRS[0], STRANGERS), True, "does not let this machine's key in", True),
        ((STRANGERS[0], OURS), True, "is not its key", False),
        (None, True, "wants keys", False),
        ((THEIRS[0], OURS), False, "in the clear", False),
    ],
)
def test_what_is_wrong_with_keys_is_told(
    machine: Machine,
    keys: tuple[bytes, Pair] | None,
    secured: bool,
    words: str | None,
    ended: bool,
) -> None:
    class Enrolled:
        def callback(self, _domain: str, key: bytes) -> bool:
            return key == OURS[0]

    authenticator = ThreadAuthenticator(machine.context)
    authenticator.start()
    try:
        authenticator.configure_curve_callback(domain="bridge", credentials_provider=Enrolled())
        endpoint = machine.router(THEIRS if secured else None)
        with connected(machine, endpoint, keys=keys) as (link, monitor):
            until(link, monitor, words)
            assert link.ended is ended
    finally:
        authenticator.stop()
