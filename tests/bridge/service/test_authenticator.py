"""The door with keys, without a bridge behind it: shut when in doubt, and seen to be."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from bridges import eventually
from faustwire.curve import secure
from faustwire.key_ring import KeyRing
from faustwire.rendezvous import Rendezvous, rendezvous
from faustwire_bridge.core.events import User
from faustwire_bridge.service import authenticator
from faustwire_bridge.service.authenticator import Authenticator, AuthenticatorError
from faustwire_bridge.service.held_memory import HeldMemory
from faustwire_bridge.service.listener import BindError, GoneError, Received
from faustwire_bridge.service.listeners import Listeners
from faustwire_bridge.service.resource_limits import resident_bytes
from raw_peer import greeted

DEADLINE = 5.0
LOOPBACK = "tcp://127.0.0.1:0"
ALL = frozenset({"publish", "watch", "steer"})


class Machine:
    """One machine's keys and sockets."""

    def __init__(self, folder: Path) -> None:
        self.keyring = KeyRing(folder)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.context.setsockopt(zmq.LINGER, 0)
        self.made: list[zmq.Socket[bytes]] = []

    def connect(self, listeners: Listeners) -> zmq.Socket[bytes]:
        made = self.context.socket(zmq.DEALER)
        self.made.append(made)
        made.setsockopt(zmq.RECONNECT_IVL, 20)
        endpoint = listeners.endpoints[0]
        secure(made, endpoint, self.keyring)
        made.connect(endpoint)
        return made

    def end(self) -> None:
        for made in self.made:
            made.close()
        self.context.term()


@pytest.fixture
def place(tmp_path: Path) -> Rendezvous:
    place = rendezvous(tmp_path / "live.dsp")
    place.prepare()
    return place


@pytest.fixture
def studio(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "studio")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    made: list[Machine] = []

    def new(name: str) -> Machine:
        made.append(Machine(tmp_path / name))
        return made[-1]

    yield new
    for one in made:
        one.end()


@contextmanager
def opened(place: Rendezvous, keyring: KeyRing, *machines: Machine) -> Iterator[Listeners]:
    with closing(Listeners(place, [LOOPBACK], keyring)) as listeners:
        for machine in machines:
            machine.keyring.trust(listeners.endpoints[0], keyring.pair()[0])
        yield listeners


def came(listeners: Listeners, seconds: float = DEADLINE) -> Received | None:
    """What comes next."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        poller = zmq.Poller()
        for made in listeners.sockets:
            poller.register(made, zmq.POLLIN)
        poller.poll(10)
        came = listeners.receive()
        if came is not None:
            return came
    return None


def hears(listeners: Listeners, peer: zmq.Socket[bytes], seconds: float = DEADLINE) -> bool:
    """Whether a peer is answered what it asks from now on; what it asked before may still come."""
    end, question = time.monotonic() + seconds, secrets.token_bytes(8)
    while time.monotonic() < end:
        with suppress(zmq.Again):
            peer.send(question, zmq.DONTWAIT)
        while (got := listeners.receive()) is not None:
            with suppress(GoneError):
                listeners.send(got.peer, got.frames[0])
        while peer.poll(10):
            if peer.recv() == question:
                return True
    return False


def test_who_comes_in_is_known_by_the_key_and_not_by_what_it_says(
    place: Rendezvous, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    anna, berta = machine("anna"), machine("berta")
    studio.enrol("anna", anna.keyring.pair()[0], frozenset({"publish"}))
    studio.enrol("berta", berta.keyring.pair()[0], ALL)
    with opened(place, studio, anna, berta) as listeners:
        for one, user in (
            (anna, User("anna", frozenset({"publish"}))),
            (berta, User("berta", ALL)),
        ):
            one.connect(listeners).send(b"I am the other one")
            got = came(listeners)
            assert got is not None
            assert got.user == user
            assert got.frames == [b"I am the other one"]


def test_the_local_door_needs_no_key_and_its_peers_are_others(
    place: Rendezvous, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    anna = machine("anna")
    studio.enrol("anna", anna.keyring.pair()[0], ALL)
    with opened(place, studio, anna) as listeners:
        local = machine("local").context.socket(zmq.DEALER)
        with local:
            local.connect(place.endpoint)
            local.send(b"local")
            first = came(listeners)
            remote = anna.connect(listeners)
            remote.send(b"remote")
            second = came(listeners)
            assert first is not None
            assert second is not None
            assert (first.user, second.user) == (None, User("anna", ALL))
            assert first.peer[:1] != second.peer[:1]
            assert listeners.send(first.peer, b"to local")
            assert listeners.send(second.peer, b"to remote")
            assert (local.recv(), remote.recv()) == (b"to local", b"to remote")


def test_neither_door_can_keep_the_bridge_from_the_other(
    place: Rendezvous, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    anna, local = machine("anna"), machine("local")
    studio.enrol("anna", anna.keyring.pair()[0], ALL)
    with opened(place, studio, anna) as listeners:
        remote = anna.connect(listeners)
        near = local.context.socket(zmq.DEALER)
        local.made.append(near)
        near.connect(place.endpoint)
        for one in (near, remote):
            one.send(b"is there")
            assert came(listeners) is not None
        for _ in range(3):
            near.send(b"near")
            remote.send(b"far")
        time.sleep(0.1)
        order = [got.frames[0] for _ in range(6) if (got := came(listeners)) is not None]
    assert order in ([b"near", b"far"] * 3, [b"far", b"near"] * 3)


def test_whoever_is_revoked_is_cut_off_and_the_others_are_back_at_once(
    place: Rendezvous, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    anna, berta = machine("anna"), machine("berta")
    for name, one in (("anna", anna), ("berta", berta)):
        studio.enrol(name, one.keyring.pair()[0], ALL)
    with opened(place, studio, anna, berta) as listeners:
        talkers = [one.connect(listeners) for one in (anna, berta)]
        assert all(hears(listeners, talker) for talker in talkers)

        assert listeners.pop_revoked() == []
        studio.revoke("berta")
        assert hears(listeners, talkers[0])
        assert not hears(listeners, talkers[1], 0.5)
        with suppress(zmq.Again):
            talkers[1].send(b"after", zmq.DONTWAIT)
        talkers[0].send(b"after")
        heard = [came(listeners)]
        while (got := came(listeners, 0.5)) is not None:
            heard.append(got)
        assert {got and got.user and got.user.name for got in heard} == {"anna"}
        assert listeners.pop_revoked() == ["berta"]
        assert listeners.pop_revoked() == []


def test_who_has_lost_a_right_is_cut_off_and_back_with_those_that_are_left(
    place: Rendezvous, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    anna = machine("anna")
    public = anna.keyring.pair()[0]
    studio.enrol("anna", public, frozenset({"publish", "watch"}))
    with opened(place, studio, anna) as listeners:
        talker = anna.connect(listeners)
        talker.send(b"before")
        before = came(listeners)
        assert before is not None
        studio.enrol("anna", public, frozenset({"publish"}))
        eventually(lambda: listeners.receive() or listeners.pop_revoked() == ["anna"], "it is read")
        with pytest.raises(GoneError):
            listeners.send(before.peer, b"what she may no longer see")
        # What is sent before the cut is noticed is lost.
        assert hears(listeners, talker)
        talker.send(b"still here")
        got = came(listeners)
        assert got is not None
        assert got.user == User("anna", frozenset({"publish"}))


@pytest.mark.parametrize(
    ("damage", "stays"),
    [
        (lambda path: path.chmod(0o666), False),
        (lambda path: path.unlink(), False),
        (lambda path: path.write_text(path.read_text() + "not a key\n"), True),
    ],
    ids=["others may write", "gone", "a malformed line more"],
)
def test_a_damaged_file_lets_in_nobody_whom_it_does_not_name(
    damage: Callable[[Path], None],
    stays: bool,
    place: Rendezvous,
    studio: KeyRing,
    machine: Callable[[str], Machine],
) -> None:
    anna = machine("anna")
    studio.enrol("anna", anna.keyring.pair()[0], ALL)
    with opened(place, studio, anna) as listeners:
        talker = anna.connect(listeners)
        assert hears(listeners, talker)
        damage(studio.folder / "enrolled")
        assert hears(listeners, talker, 0.5) is stays


def test_a_peer_of_a_door_that_was_shut_is_gone(
    place: Rendezvous, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    anna, berta = machine("anna"), machine("berta")
    studio.enrol("anna", anna.keyring.pair()[0], ALL)
    studio.enrol("berta", berta.keyring.pair()[0], ALL)
    with opened(place, studio, anna) as listeners:
        anna.connect(listeners).send(b"hello")
        got = came(listeners)
        assert got is not None
        studio.revoke("berta")
        came(listeners, 0.1)
        with pytest.raises(GoneError):
            listeners.send(got.peer, b"too late")


# -- fail closed, and the tests can see ------------------------------------------------------------


def _enforces_nothing(self: Authenticator, server: zmq.Socket[bytes]) -> None:
    server.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
    server.setsockopt(zmq.CURVE_SERVER, 1)
    server.setsockopt(zmq.ZAP_DOMAIN, b"faustwire")


@pytest.mark.parametrize("enforced", [True, False])
def test_without_an_authenticator_nobody_gets_in_and_without_enforcement_everybody_would(
    enforced: bool, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    """The second is the control: the test can see somebody who gets in."""
    anna = machine("anna")
    studio.enrol("anna", anna.keyring.pair()[0], ALL)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    guard = Authenticator(context, studio)
    server = context.socket(zmq.ROUTER)
    (Authenticator.protect if enforced else _enforces_nothing)(guard, server)
    guard.socket.close()
    endpoint = f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}"
    anna.keyring.trust(endpoint, studio.pair()[0])
    client = anna.context.socket(zmq.DEALER)
    anna.made.append(client)
    assert secure(client, endpoint, anna.keyring)
    monitor = client.get_monitor_socket(zmq.Event.HANDSHAKE_SUCCEEDED)
    client.connect(endpoint)
    client.send(b"hello")
    assert bool(server.poll(500)) is not enforced
    assert bool(monitor.poll(0)) is not enforced
    client.disable_monitor()
    monitor.close()
    server.close(linger=0)
    context.term()


def test_an_authenticator_that_does_not_answer_lets_nobody_in(
    place: Rendezvous, studio: KeyRing, machine: Callable[[str], Machine]
) -> None:
    anna = machine("anna")
    studio.enrol("anna", anna.keyring.pair()[0], ALL)
    with opened(place, studio, anna) as listeners:
        client = anna.connect(listeners)
        events = zmq.Event.HANDSHAKE_SUCCEEDED | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
        monitor = client.get_monitor_socket(events)
        client.send(b"hello")
        # Nobody calls listeners.receive(), where it would be answered.
        assert not listeners.sockets[0].poll(300)
        assert not monitor.poll(0)
        assert came(listeners) is not None
        assert recv_monitor_message(monitor)["event"] == zmq.Event.HANDSHAKE_SUCCEEDED
        client.disable_monitor()
        monitor.close()


def test_a_bridge_that_would_let_strangers_in_does_not_serve(
    place: Rendezvous, studio: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Authenticator, "protect", _enforces_nothing)
    # Somewhere else, libzmq does not find it.
    monkeypatch.setattr(authenticator, "_ENDPOINT", "inproc://elsewhere")
    with pytest.raises(AuthenticatorError, match="got in without a key"):
        Listeners(place, [LOOPBACK], studio)
    assert not list(place.directory.glob(f"{place.key}*"))


def test_a_bridge_that_lets_in_those_without_any_encryption_does_not_serve(
    place: Rendezvous, studio: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Authenticator, "protect", lambda *_: None)
    with pytest.raises(AuthenticatorError):
        Listeners(place, [LOOPBACK], studio)


def test_a_bridge_whose_authenticator_is_not_asked_does_not_serve(
    place: Rendezvous, studio: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator, "_ENDPOINT", "inproc://elsewhere")
    with pytest.raises(AuthenticatorError, match="no answer"):
        Listeners(place, [LOOPBACK], studio)


# -- ports -----------------------------------------------------------------------------------------


def test_a_bridge_takes_one_port_that_must_be_free_and_nothing_of_the_next(
    place: Rendezvous,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BindError, match="can't listen"):
            Listeners(place, [f"tcp://127.0.0.1:{port}"])
        # The control: before it is one that is free, next to one that is not.
        try:
            with closing(Listeners(place, [f"tcp://127.0.0.1:{port - 1}"])) as listeners:
                assert listeners.endpoints[0].endswith(f":{port - 1}")
        except BindError:
            pytest.skip("another program has that port")


def test_nothing_is_left_where_workers_meet(place: Rendezvous, studio: KeyRing) -> None:
    with closing(Listeners(place, [LOOPBACK], studio)):
        assert len(list(place.directory.glob(f"{place.key}*"))) == 1
    assert not list(place.directory.glob(f"{place.key}*"))


# -- what peers can make a bridge hold -------------------------------------------------------------

_MIB = 2**20
# Other systems don't tell a process what it holds.
_needs_proc = pytest.mark.skipif(not resident_bytes(), reason="there is no /proc/self/statm")


def endless(listeners: Listeners, raw: socket.socket, mib: int) -> bool:
    """Send a message that has ever more parts, none of them too long; whether all were taken."""
    part = b"\3" + _MIB.to_bytes(8, "big") + bytes(_MIB)
    raw.settimeout(DEADLINE)
    try:
        for _ in range(mib):
            raw.sendall(part)
            assert listeners.receive() is None
    except OSError:
        return False
    return True


@_needs_proc
def test_a_message_without_end_is_cut_off_and_the_others_are_back(
    place: Rendezvous, machine: Callable[[str], Machine]
) -> None:
    """Libzmq bounds neither the parts of a message nor what they hold together."""
    worker = machine("worker")
    with closing(Listeners(place, [LOOPBACK], max_held=64 * _MIB)) as listeners:
        talker = worker.connect(listeners)
        talker.send(b"before")
        assert came(listeners) is not None
        with greeted(listeners.endpoints[0]) as raw:
            assert not endless(listeners, raw, 2048)

        def back() -> bool:
            # What was on its way is lost; a worker sends it again.
            talker.send(b"after")
            got = came(listeners, 0.1)
            return got is not None and got.frames == [b"after"]

        eventually(back, "the other one is back", DEADLINE)
        assert listeners.memory.of_peers() < 64 * _MIB


@_needs_proc
def test_nobody_is_let_in_again_before_what_a_flood_has_left_is_free(place: Rendezvous) -> None:
    """Else each flood would be added to the last one's, and counted as the bridge's own."""
    with closing(Listeners(place, [LOOPBACK], max_held=64 * _MIB)) as listeners:
        left = b"x" * (128 * _MIB)
        eventually(lambda: listeners.receive() or not listeners.sockets, "all are cut")
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            assert listeners.receive() is None
            assert not listeners.sockets
        assert len(left) == 128 * _MIB
        del left
        eventually(lambda: listeners.receive() or listeners.sockets, "they are let in again")
        assert listeners.memory.of_peers() < 64 * _MIB


@_needs_proc
def test_what_is_never_free_is_not_the_peers_and_what_is_free_late_counts_again() -> None:
    memory = HeldMemory(64 * _MIB)
    left = b"x" * (128 * _MIB)
    assert memory.too_much()
    memory.cut(0.0)
    assert not memory.is_free_again(4.9)
    assert memory.is_free_again(5.0)
    assert not memory.too_much()
    del left
    assert not memory.too_much()
    more = b"x" * (128 * _MIB)
    assert memory.too_much()
    assert len(more) == 128 * _MIB


@_needs_proc
def test_without_a_bound_it_is_taken_whole(place: Rendezvous) -> None:
    """The control: nothing else would stop it."""
    with (
        closing(Listeners(place, [LOOPBACK], max_held=2**40)) as listeners,
        greeted(listeners.endpoints[0]) as raw,
    ):
        assert endless(listeners, raw, 256)
        eventually(lambda: listeners.memory.of_peers() > 200 * _MIB, "all of it is held")


@_needs_proc
def test_memory_that_is_freed_is_the_systems_again(place: Rendezvous) -> None:
    with closing(Listeners(place, [LOOPBACK])):
        before = resident_bytes()
        for _ in range(3):
            blocks = [bytes(16 * _MIB) for _ in range(8)]
            del blocks
        assert resident_bytes() - before < 32 * _MIB
