"""Whatever a network does, no call of ``update`` stalls twice, and publishing resumes by itself."""

from __future__ import annotations

import math
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import zmq

from bridges import Plugin, ServedBridge, eventually, served
from faustwire import codec
from faustwire.key_ring import KeyRing
from faustwire.messages import Hello, Ping, Reason
from faustwire_publisher import HotReload, connection
from faustwire_publisher.connection import Connection
from hosts import Host, Network, NoNetworkError, two_hosts
from proxy import Proxy
from recorded_warnings import recorded_warnings
from trainee import Trainee, trained
from trainings import Training

TIMEOUT = 1.0
# A call may take its timeout, and what a busy machine of two cores adds.
SLACK = 1.0
# Where many calls in a row may have to wait once each.
BRIEF = 0.1
# A connection over which nothing comes is given up after a ping's second and four of waiting.
HEARTBEATS = 5.0
# Once the way is free the next try comes within the longest pause, 2.6 s, and a try that is on
# its way in vain costs its two seconds.
HEALING = 5.0
# What a bridge logs.
PUBLISHED = re.compile("INFO +published")


@contextmanager
def through_a_proxy(
    plugin: Plugin, *arguments: str, timeout: float = TIMEOUT
) -> Iterator[tuple[Training, Proxy, ServedBridge]]:
    """A training in this process, the proxy that it publishes through, and its bridge."""
    with (
        served(plugin, *arguments) as bridge,
        Proxy(bridge.endpoint) as proxy,
        HotReload(48000, endpoint=proxy.endpoint, timeout=timeout, min_interval=0) as live,
    ):
        training = Training(live)
        training.until_published("the training has begun")
        training.longest = 0.0
        yield training, proxy, bridge


def writes(plugin: Plugin) -> int:
    """Which file the ``.dsp`` is: another one after each write."""
    return plugin.dsp_path.stat().st_ino


# -- connections -----------------------------------------------------------------------------------


def test_a_cut_connection_costs_hardly_more_than_a_round_trip(plugin: Plugin) -> None:
    with through_a_proxy(plugin) as (training, proxy, _):
        for _ in range(5):
            proxy.cut()
            assert training.until_published("the connection is there again") < SLACK
        assert training.longest < TIMEOUT + SLACK


@pytest.mark.slow
def test_a_network_that_is_gone_for_a_moment_costs_one_timeout_and_one_warning(
    plugin: Plugin,
) -> None:
    with through_a_proxy(plugin) as (training, proxy, _):
        proxy.part()
        with recorded_warnings() as told:
            training.step()
            start = time.monotonic()
            training.go_on(1.0)
            assert time.monotonic() - start < 1.0 + SLACK, "no call waits any more"
        assert len(told) == 1
        proxy.heal()
        assert training.until_published("it goes on") < SLACK
        assert training.longest < TIMEOUT + SLACK
        assert len(proxy.connects) == 1


def test_a_training_that_never_waits_is_told_and_goes_on(plugin: Plugin) -> None:
    with (
        served(plugin) as bridge,
        Proxy(bridge.endpoint) as proxy,
        HotReload(48000, endpoint=proxy.endpoint, timeout=0.5, min_interval=0, wait=False) as live,
    ):
        training = Training(live)
        training.step()
        assert live.flush(5.0)
        good = writes(plugin)
        proxy.part()
        with recorded_warnings() as told:
            training.go_on(1.5)
        assert len(told) == 1
        assert training.longest < 0.5
        proxy.heal()
        eventually(lambda: training.step() and writes(plugin) != good, "it goes on", HEALING)


@pytest.mark.slow
def test_heartbeats_find_a_connection_that_is_dead_and_does_not_know_it(plugin: Plugin) -> None:
    with through_a_proxy(plugin) as (training, proxy, _):
        proxy.part()
        parted = time.monotonic()
        training.step()
        eventually(lambda: len(proxy.connects) > 1, "a new one is tried", HEARTBEATS + 2 * SLACK)
        assert time.monotonic() - parted > 2.0, "an answer may be late"
        proxy.heal()
        assert training.until_published("it goes on") < HEALING
        assert training.longest < TIMEOUT + SLACK


@pytest.mark.slow
def test_a_bridge_that_is_too_far_away_for_the_timeout_is_waited_for_only_once(
    plugin: Plugin,
) -> None:
    """Though it answers each ping and each snapshot, late."""
    with through_a_proxy(plugin) as (training, proxy, _):
        before = writes(plugin)
        proxy.delay_seconds = 0.7 * TIMEOUT
        with recorded_warnings() as told:
            start = time.monotonic()
            training.step()
            training.go_on(3.0)
            assert time.monotonic() - start < TIMEOUT + 3.0 + SLACK
        assert len(told) == 1
        assert "within 1 s" in told[0]
        assert writes(plugin) != before, "what is sent arrives all the same"
        proxy.delay_seconds = 0.0
        assert training.until_published("calls are worth waiting for again") < 3.0
        assert training.longest < TIMEOUT + SLACK


@pytest.mark.slow
def test_a_bridge_that_is_far_away_from_the_beginning_is_met(plugin: Plugin) -> None:
    with served(plugin) as bridge, Proxy(bridge.endpoint) as proxy:
        proxy.delay_seconds = 0.8
        with HotReload(48000, endpoint=proxy.endpoint, timeout=TIMEOUT) as live:
            Training(live).step()
            eventually(plugin.dsp_path.exists, "what was sent arrives", 15.0)
            assert live.flush(5.0)


@pytest.mark.slow
def test_a_network_that_lets_nothing_large_through_costs_two_timeouts(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though each new connection begins well: its Hello and Welcome are small."""
    monkeypatch.setattr(connection, "_SILENCE_SECONDS", 2.0)
    large = "process = _, _;\n//" + "x" * 2000
    with through_a_proxy(plugin) as (training, proxy, _):
        proxy.largest_bytes = 1400
        start = time.monotonic()
        waited = 0.0
        number = 0
        while len(proxy.connects) < 5:
            number += 1
            begun = time.monotonic()
            assert begun - start < 40.0, "dead connections are found"
            assert not training.live.publish(f"{large}{number}")
            waited += time.monotonic() - begun
            time.sleep(0.02)
        assert waited < 2 * (TIMEOUT + SLACK)
        proxy.largest_bytes = math.inf
        assert training.until_published("it goes on") < HEARTBEATS + HEALING


@pytest.mark.slow
def test_a_snapshot_that_takes_long_to_send_arrives(plugin: Plugin) -> None:
    """A worker in the middle of one large message can't answer a ping."""
    program = "process = _, _;\n//" + "x" * 2**18
    with through_a_proxy(plugin) as (training, proxy, _):
        proxy.bytes_per_second = 30_000
        assert not training.live.publish(program)
        eventually(lambda: plugin.program() == program, "it has arrived", 2**18 / 30_000 + 5)
        assert len(proxy.connects) == 1


# -- what is lost on the way -----------------------------------------------------------------------


def test_a_verdict_that_was_lost_is_given_again_and_nothing_is_written_twice(
    plugin: Plugin,
) -> None:
    with through_a_proxy(plugin, "--log-level", "debug") as (training, proxy, bridge):
        first, published = writes(plugin), len(PUBLISHED.findall(bridge.log()))
        proxy.down = "lost"
        assert not training.step()
        assert training.live.last.reason is Reason.NO_BRIDGE
        second = writes(plugin)
        assert second != first, "the bridge had heard it"
        proxy.renew()
        assert training.live.flush(HEALING)
        assert training.live._session._client is not None
        answered = training.live._session._client.mailbox.answered
        assert answered is not None
        assert answered.seq == training.calls
        assert answered.verdict is not None
        assert answered.verdict.published
        assert writes(plugin) == second
        assert len(PUBLISHED.findall(bridge.log())) == published + 1


def test_a_snapshot_that_was_lost_is_sent_again(plugin: Plugin) -> None:
    with through_a_proxy(plugin) as (training, proxy, _):
        first = writes(plugin)
        proxy.up = "lost"
        assert not training.step()
        assert writes(plugin) == first
        proxy.renew()
        assert training.live.flush(HEALING)
        assert writes(plugin) != first


@pytest.mark.slow
def test_what_comes_last_is_not_given_up_when_the_network_is_back(plugin: Plugin) -> None:
    """The calls before it have waited in vain, and it comes before the bridge has answered one."""
    with through_a_proxy(plugin, timeout=2 * TIMEOUT) as (training, proxy, _):
        proxy.part()
        training.step()
        proxy.delay_seconds = 0.2
        proxy.heal()
        time.sleep(1.5)  # A pong or two.
        training.knob.set(1.875)
        training.live.update(training.knob.model, force=True)
        training.live.close()
        assert "1.875" in plugin.program()


# -- who hammers whom ------------------------------------------------------------------------------


def test_a_tunnel_whose_bridge_is_away_is_not_hammered(plugin: Plugin) -> None:
    """It takes every call and hangs up, which ZeroMQ alone answers with fifty calls a second."""
    with through_a_proxy(plugin) as (training, proxy, _):
        proxy.answers = False
        proxy.cut()
        cut = time.monotonic()
        training.go_on(5.0)
        calls = [moment for moment in proxy.connects if moment > cut]
        assert 5 <= len(calls) <= 16
        assert max(later - earlier for earlier, later in pairwise(calls)) < 2.56 + SLACK
        assert training.longest < TIMEOUT + SLACK
        proxy.answers = True
        assert training.until_published("the bridge is back") < HEALING


def all_are_answered(trainings: list[Training]) -> None:
    """Each of them steps until the bridge has answered it."""
    start, waiting = time.monotonic(), list(trainings)
    while waiting:
        assert time.monotonic() - start < HEALING, f"{len(waiting)} are not answered"
        for training in waiting:
            training.step()
        waiting = [t for t in waiting if t.live.last.reason is Reason.NO_BRIDGE]


@pytest.mark.slow
def test_many_workers_come_back_to_a_bridge_that_was_restarted(plugin: Plugin) -> None:
    with ExitStack() as stack:
        with served(plugin) as bridge:
            endpoint = bridge.endpoint
            proxy = stack.enter_context(Proxy(endpoint))
            trainings = [
                Training(
                    stack.enter_context(
                        HotReload(48000, endpoint=proxy.endpoint, timeout=BRIEF, min_interval=0)
                    )
                )
                for _ in range(16)
            ]
            all_are_answered(trainings)
            bridge.process.kill()
            bridge.process.wait()
        away = time.monotonic()
        while time.monotonic() - away < 2.0:
            for training in trainings:
                training.step()
        with served(plugin, bind=endpoint):
            all_are_answered(trainings)
        assert len([moment for moment in proxy.connects if moment > away]) < 16 * 14
        assert max(training.longest for training in trainings) < BRIEF + SLACK


@pytest.mark.slow
def test_a_web_server_at_the_address_does_not_keep_the_worker_for_ever(plugin: Plugin) -> None:
    """Its greeting reads like that of a ZeroMQ of old, which ZeroMQ waits for without end."""
    greeted = threading.Event()

    def greet(listener: socket.socket) -> None:
        caller, _ = listener.accept()
        caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
        greeted.set()
        caller.recv(1)
        while caller.recv(4096):
            pass
        caller.close()

    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    server = threading.Thread(target=greet, args=(listener,))
    server.start()
    endpoint = f"tcp://127.0.0.1:{address[1]}"
    with HotReload(48000, endpoint=endpoint, timeout=TIMEOUT, min_interval=0) as live:
        training = Training(live)
        training.step()
        assert greeted.wait(10.0)
        listener.close()
        with served(plugin, bind=endpoint):
            assert training.until_published("the bridge is found there") < 3 * HEALING
    server.join()


# -- who sleeps ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_audio_machine_that_slept_is_found_again(plugin: Plugin) -> None:
    with through_a_proxy(plugin) as (training, _, bridge):
        bridge.process.send_signal(signal.SIGSTOP)
        with recorded_warnings() as told:
            training.go_on(HEARTBEATS + 1.0)
        assert len(told) == 1
        bridge.process.send_signal(signal.SIGCONT)
        assert training.until_published("it is awake") < HEALING
        assert training.longest < TIMEOUT + SLACK


@contextmanager
def ended(context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[None]:
    """End a context and its sockets, whatever becomes of the block."""
    try:
        yield
    finally:
        context.destroy(linger=0)


def test_a_worker_of_ours_does_not_use_zmtps_own_heartbeats() -> None:
    """Such pings can make libzmq 4.3.5 abort a bridge that slept; see docs/security.md."""
    with closing(Connection("tcp://127.0.0.1:1", lambda _up: None)) as connection:
        assert connection.dealer.getsockopt(zmq.HEARTBEAT_IVL) == 0


@pytest.mark.slow
def test_a_peer_that_sends_too_much_and_hangs_up_does_not_end_a_bridge(plugin: Plugin) -> None:
    """A bridge that slept finds more than it takes at a time, and nobody there any more."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with served(plugin) as bridge, ended(context):
        for number in range(3):
            peer = context.socket(zmq.DEALER)
            peer.setsockopt(zmq.LINGER, 0)
            peer.connect(bridge.endpoint)
            peer.send(codec.encode(Hello("rogue", str(number))))
            assert peer.poll(5000), "it is welcome"
            bridge.process.send_signal(signal.SIGSTOP)
            for _ in range(12):
                for _ in range(4):
                    peer.send(codec.encode(Ping()))
                time.sleep(0.05)
            peer.close()
            time.sleep(0.2)
            bridge.process.send_signal(signal.SIGCONT)
        with HotReload(48000, endpoint=bridge.endpoint, timeout=5.0, min_interval=0) as live:
            training = Training(live)
            training.until_published("it lives", 5.0)
            training.go_on(2.5)
            assert bridge.process.poll() is None


# -- two hosts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Studio:
    """A bridge on one host, a training on the other."""

    network: Network
    plugin: Plugin
    bridge: ServedBridge
    trainee: Trainee

    def resumes(self, since: float, within: float) -> None:
        """The training has not stalled since then, and from now on it publishes again."""
        now = time.monotonic()
        self.trainee.publishes_after(now, "it goes on", within)
        assert self.trainee.longest(since) < TIMEOUT + SLACK
        waited = [c for c in self.trainee.since(since) if c.ended - c.begun > 0.8 * TIMEOUT]
        assert len(waited) <= 1, "after one call that waited in vain none waits"


@contextmanager
def a_network() -> Iterator[Network]:
    """Two hosts; skips where they can't be made."""
    try:
        with two_hosts() as network:
            yield network
    except NoNetworkError as reason:
        pytest.skip(str(reason))


def acquainted(folder: Path) -> tuple[str, str]:
    """Folders with the keys of a studio and of a worker that is enrolled there."""
    studio, worker = KeyRing(folder / "studio-keys"), KeyRing(folder / "worker-keys")
    studio.enrol("gpu", worker.pair()[0], frozenset({"publish"}))
    worker.trust("tcp://studio:5555", studio.pair()[0])
    return str(folder / "studio-keys"), str(folder / "worker-keys")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One for all tests on two hosts, because a training takes seconds to start."""
    folder = tmp_path_factory.mktemp("studio")
    plugin = Plugin(folder / "plugin")
    plugin.folder.mkdir()
    studio_keys, worker_keys = acquainted(folder)
    with a_network() as network:
        network.gpu_box.resolve("studio", network.studio.address)
        with (
            served(
                plugin,
                *("--keys", studio_keys),
                bind="tcp://0.0.0.0:5555",
                within=network.studio.within,
            ) as bridge,
            trained(
                "tcp://studio:5555",
                *("--timeout", str(TIMEOUT), "--keys", worker_keys),
                within=network.gpu_box.within,
            ) as trainee,
        ):
            trainee.publishes_after(0.0, "the training has begun", 60.0)
            yield Studio(network, plugin, bridge, trainee)
    plugin.end_bridge()


@pytest.mark.parametrize("host", ["studio", pytest.param("gpu_box", marks=pytest.mark.slow)])
def test_a_cable_pulled_out_on_either_side(studio: Studio, host: str) -> None:
    start = time.monotonic()
    pulled: Host = getattr(studio.network, host)
    pulled.plug(into=False)
    eventually(lambda: studio.trainee.since(start + TIMEOUT + SLACK), "calls go on without it")
    assert not studio.trainee.since(start + TIMEOUT + SLACK)[-1].published
    pulled.plug(into=True)
    studio.resumes(start, HEALING)


@pytest.mark.slow
def test_a_network_in_between_that_loses_everything_for_longer_than_heartbeats_wait(
    studio: Studio,
) -> None:
    start = time.monotonic()
    studio.network.cable.be(loss=1.0)
    time.sleep(HEARTBEATS + 1.0)
    assert not studio.trainee.since(start + TIMEOUT + SLACK)[-1].published
    studio.network.cable.be()
    studio.resumes(start, HEALING)


@pytest.mark.slow
def test_a_bad_wireless_network_loses_a_tenth_and_is_late(studio: Studio) -> None:
    start = time.monotonic()
    studio.network.cable.be(loss=0.1, delay_seconds=0.03)
    eventually(
        lambda: sum(call.published for call in studio.trainee.since(start)) >= 5, "it publishes"
    )
    studio.network.cable.be()
    assert studio.trainee.longest(start) < TIMEOUT + SLACK


@pytest.mark.slow
def test_a_laptop_that_roams_publishes_from_its_new_address(studio: Studio) -> None:
    start = time.monotonic()
    studio.network.gpu_box.move("192.0.2.88")
    studio.resumes(start, HEARTBEATS + HEALING)


@pytest.mark.slow
def test_an_audio_machine_that_gets_another_address_is_found_by_its_name(studio: Studio) -> None:
    start = time.monotonic()
    studio.network.studio.move("192.0.2.77")
    studio.network.gpu_box.resolve("studio", "192.0.2.77")
    studio.resumes(start, HEARTBEATS + HEALING)


@pytest.mark.slow
def test_a_training_that_slept_is_taken_back(studio: Studio) -> None:
    studio.trainee.process.send_signal(signal.SIGSTOP)
    time.sleep(6.0)
    studio.trainee.process.send_signal(signal.SIGCONT)
    awake = time.monotonic()
    assert studio.trainee.publishes_after(awake, "it publishes", HEALING) < HEALING


@pytest.mark.slow
def test_a_name_server_that_does_not_answer_stalls_neither_calls_nor_the_end() -> None:
    """A look-up takes the system ten seconds, during which ZeroMQ does nothing else."""
    with (
        a_network() as network,
        trained("tcp://studio.invalid:5555", within=network.gpu_box.within) as trainee,
    ):
        eventually(lambda: len(trainee.calls) > 20, "it goes on", 60.0)
    *calls, closed = trainee.calls
    assert max(call.ended - call.begun for call in calls) < TIMEOUT + SLACK
    assert "studio.invalid:5555" in calls[-1].detail
    assert closed.reason == "closed"
    assert closed.ended - closed.begun < 1.0 + SLACK
