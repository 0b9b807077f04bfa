"""Who gets in at a bridge with keys, who does not, and what each may do: real bridges and clients.

The table at the end of docs/security.md is this file's OUTCOMES. Each case that must not get in
has a control in which it does, where nothing is in its way: the tests can see.
"""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from bridges import DEADLINE, Plugin, ServedBridge, eventually, served
from faustwire import codec
from faustwire.curve import secure
from faustwire.errors import MessageError
from faustwire.key_ring import RIGHTS, KeyRing
from faustwire.messages import (
    Choice,
    Follow,
    Hello,
    Message,
    Rejection,
    Snapshot,
    State,
    Steered,
    ToBridge,
    Verdict,
    Watch,
    Welcome,
)
from faustwire_bridge.cli import main
from faustwire_bridge.core import audience, sessions, waiting
from faustwire_bridge.service import held_memory
from faustwire_publisher import HotReload
from faustwire_publisher.errors import ArgumentError
from graphs import gain
from models import Knob
from recorded_warnings import recorded_warnings

DOCS = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
TIMEOUT = 1.0
# Longer than a client's longest pause between two tries.
BACK_SECONDS = DEADLINE
NOTHING_SECONDS = 0.5


@dataclass(frozen=True)
class Two:
    """Two machines: one with a bridge, one with a training."""

    bridge: ServedBridge
    plugin: Plugin
    studio: KeyRing
    box: KeyRing

    def enrol(self, *rights: str, name: str = "box", ring: KeyRing | None = None) -> None:
        self.studio.enrol(name, (ring or self.box).pair()[0], frozenset(rights))

    def trust(self, ring: KeyRing | None = None) -> None:
        (ring or self.box).trust(self.bridge.endpoint, self.studio.pair()[0])

    def live(self, **options: object) -> HotReload:
        options.setdefault("timeout", TIMEOUT)
        return HotReload(48000, endpoint=self.bridge.endpoint, min_interval=0, **options)  # type: ignore[arg-type]


Guarded = tuple[ServedBridge, Plugin, KeyRing]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A bridge with keys for all tests; each has a training's machine of its own."""
    plugin = Plugin(tmp_path_factory.mktemp("plugin"))
    studio = KeyRing(tmp_path_factory.mktemp("home") / "keys")
    with served(plugin, "--keys", str(studio.folder)) as bridge:
        yield bridge, plugin, studio
    plugin.end_bridge()


@pytest.fixture
def two(guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    bridge, plugin, studio = guarded
    plugin.dsp_path.unlink(missing_ok=True)
    box = KeyRing(tmp_path / "box")
    monkeypatch.setenv("FAUSTWIRE_KEYS", str(box.folder))
    yield Two(bridge, plugin, studio, box)
    empty = bridge.log().count("nobody is enrolled yet")
    people = studio.enrolled()
    for person in people:
        studio.revoke(person.name)
    # Connections are cut then: not those of the next test.
    eventually(
        lambda: not people or bridge.log().count("nobody is enrolled yet") > empty, "nobody is left"
    )


@pytest.fixture
def alone(plugin: Plugin, tmp_path: Path) -> Iterator[Two]:
    """The same, with a bridge that has met nobody."""
    studio, box = KeyRing(tmp_path / "studio"), KeyRing(tmp_path / "box")
    with served(plugin, "--keys", str(studio.folder)) as bridge:
        yield Two(bridge, plugin, studio, box)


@contextmanager
def peer(endpoint: str, keyring: KeyRing | None = None) -> Iterator[zmq.Socket[bytes]]:
    """A client's socket, with or without keys."""
    with zmq.Context() as context, closing(context.socket(zmq.DEALER)) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.setsockopt(zmq.RCVTIMEO, int(1000 * BACK_SECONDS))
        if keyring is not None:
            assert secure(client, endpoint, keyring)
        client.connect(endpoint)
        yield client


def ask(client: zmq.Socket[bytes], message: ToBridge) -> Message:
    client.send(codec.encode(message))
    return codec.decode(client.recv())


def silent(client: zmq.Socket[bytes], message: ToBridge | None = None) -> bool:
    """Whether nothing comes back, whatever was sent."""
    if message is not None:
        # libzmq may have given up altogether, and has nowhere to put it then.
        with suppress(zmq.Again):
            client.send(codec.encode(message), zmq.DONTWAIT)
    return not client.poll(int(1000 * NOTHING_SECONDS))


def published_soon(live: HotReload, knob: Knob) -> None:
    def attempt() -> bool:
        knob.step()
        return live.update(knob.model)

    try:
        eventually(attempt, "a publish", BACK_SECONDS)
    except AssertionError:
        pytest.fail(f"not published: {live.last}")


# -- the table -------------------------------------------------------------------------------------


def no_key(_: Two) -> None:
    pass


def wrong_server_key(two: Two) -> None:
    two.enrol("publish")
    two.box.trust(two.bridge.endpoint, two.box.pair()[0])


def unknown_client(two: Two) -> None:
    two.trust()


def allowed(two: Two) -> None:
    two.enrol("publish")
    two.trust()


def only_watches(two: Two) -> None:
    two.enrol("watch")
    two.trust()


OUTCOMES: list[tuple[str, Callable[[Two], None], bool, str]] = [
    ("no key", no_key, False, "wants keys"),
    ("wrong server key", wrong_server_key, False, "is not its key"),
    ("unknown client", unknown_client, False, "faustwire keys enrol"),
    ("enrolled, but not to publish", only_watches, False, "not enrolled to publish"),
    ("allowed", allowed, True, ""),
]


@pytest.mark.parametrize(
    ("prepare", "gets_in", "words"),
    [case[1:] for case in OUTCOMES],
    ids=[case[0] for case in OUTCOMES],
)
def test_a_training_gets_in_with_the_right_keys_alone_and_is_told_why_not_in_time(
    two: Two, prepare: Callable[[Two], None], gets_in: bool, words: str
) -> None:
    prepare(two)
    with recorded_warnings() as told, two.live() as live:
        assert live.update(Knob().model) is gets_in
        assert words in live.last.detail
    assert len(told) == (0 if gets_in else 1)
    assert two.plugin.dsp_path.exists() is gets_in


@pytest.mark.parametrize("case", [case[0] for case in OUTCOMES])
def test_the_page_has_the_case(case: str) -> None:
    assert f"| {case} |" in DOCS


def test_the_page_states_the_bounds_that_hold() -> None:
    rows = dict(re.findall(r"^\| \**([^|]+?)\** \| ([^|]+?) \|", DOCS, re.MULTILINE))
    assert rows["a frame"].startswith(f"{codec.MAX_BYTES // 2**20} MiB")
    assert rows["messages of a peer that wait to be read"] == "any number"
    assert rows["all peers together"].startswith(f"{held_memory.MAX_HELD_BYTES // 2**30} GiB")
    assert rows["what the bridge remembers of workers"] == (
        f"{sessions.MAX_HELD_BYTES // 2**20} MiB of newest snapshots, "
        f"{waiting.MAX_WAITING_BYTES // 2**20} MiB of waiting ones, "
        f"{audience.MAX_KEPT_BYTES // 2**20} MiB of judged ones for those who listen, "
        f"{sessions.MAX_SESSIONS} that have left"
    )


def test_enrolled_later_gets_in_without_a_restart_by_the_very_line_that_was_told(
    two: Two,
) -> None:
    two.trust()
    knob = Knob()
    with recorded_warnings() as told, two.live() as live:
        assert not live.update(knob.model)
        line = re.search(r"`faustwire (keys enrol \S+ \S+)`", live.last.detail)
        assert line is not None
        assert main([*line[1].split(), "--keys", str(two.studio.folder)]) == 0
        published_soon(live, knob)
    assert len(told) == 1


def test_trusted_later_gets_in_without_a_restart(two: Two) -> None:
    two.enrol("publish")
    knob = Knob()
    with recorded_warnings(), two.live() as live:
        assert not live.update(knob.model)
        two.trust()
        published_soon(live, knob)


def test_revoked_while_connected_is_cut_off_and_told_and_others_go_on(
    two: Two, tmp_path: Path
) -> None:
    other = KeyRing(tmp_path / "other")
    for name, ring in (("box", two.box), ("other", other)):
        two.enrol("publish", name=name, ring=ring)
        two.trust(ring)
    knob, others = Knob(), Knob(1)
    with (
        recorded_warnings() as told,
        two.live() as live,
        two.live(keys=other.folder, timeout=10.0) as friend,
    ):
        assert live.update(knob.model)
        assert friend.update(others.model)
        assert main(["keys", "revoke", "box", "--keys", str(two.studio.folder)]) == 0
        before = two.plugin.program()

        def cut_off() -> bool:
            knob.step()
            return not live.update(knob.model)

        assert cut_off()
        assert two.plugin.program() == before
        eventually(
            lambda: cut_off() and "faustwire keys enrol" in live.last.detail, "why", BACK_SECONDS
        )
        others.step()
        assert friend.update(others.model)
    assert len(told) == 1


def test_cutting_everybody_off_again_and_again_loses_and_doubles_nothing(
    alone: Two, tmp_path: Path
) -> None:
    alone.enrol("publish", "watch")
    alone.trust()
    other, knob, going = KeyRing(tmp_path / "other"), Knob(), threading.Event()

    def revoke_others() -> None:
        while not going.wait(0.1):
            alone.enrol("publish", name="other", ring=other)
            going.wait(0.05)
            alone.studio.revoke("other")

    revoker = threading.Thread(target=revoke_others)
    revoker.start()
    try:
        with alone.live(keys=alone.box.folder, timeout=20.0) as live:
            updates = 0
            while updates < 50 or alone.bridge.log().count("enrolled") <= 5:
                knob.step()
                assert live.update(knob.model)
                updates += 1
    finally:
        going.set()
        revoker.join()
    with peer(alone.bridge.endpoint, alone.box) as watcher:
        # The last revocation may just have cut the connection, and what was on its way is lost.
        eventually(lambda: not silent(watcher, Watch()), "it is answered", BACK_SECONDS)
        state = codec.decode(watcher.recv())
    assert isinstance(state, State)
    assert state.reloads == updates


def test_revoking_the_one_right_ends_what_it_was_for(two: Two) -> None:
    two.enrol("watch", "publish")
    two.trust()
    with peer(two.bridge.endpoint, two.box) as watcher:
        assert isinstance(ask(watcher, Watch()), State)
        two.enrol("publish")

        def declined() -> bool:
            # What is on its way when the connection is cut is lost.
            return not silent(watcher, Watch()) and isinstance(
                codec.decode(watcher.recv()), Rejection
            )

        eventually(declined, "it may no longer watch", BACK_SECONDS)


def test_a_plain_client_gets_nothing_from_a_bridge_with_keys_and_all_from_one_without(
    two: Two, tmp_path: Path
) -> None:
    hello = Hello("eve", "e" * 8)
    with peer(two.bridge.endpoint) as talker:
        assert silent(talker, hello)
        assert silent(talker, Follow(Choice("latest")))
        assert silent(talker, Watch())
    (tmp_path / "open").mkdir()
    control = Plugin(tmp_path / "open")
    with served(control) as bridge, peer(bridge.endpoint) as talker:
        assert isinstance(ask(talker, hello), Welcome)
        assert isinstance(ask(talker, Follow(Choice("latest"))), Steered)
        assert isinstance(ask(talker, Watch()), State)
    control.end_bridge()


def test_a_bridge_without_keys_gets_nothing_from_a_training_that_trusts_one(
    plugin: Plugin, tmp_path: Path
) -> None:
    """Somebody in its place would not be encrypted to."""
    box = KeyRing(tmp_path / "box")
    with served(plugin) as bridge:
        box.trust(bridge.endpoint, bytes(range(32)))
        options = {"endpoint": bridge.endpoint, "keys": box.folder, "timeout": TIMEOUT}
        with recorded_warnings() as told, HotReload(48000, **options) as live:  # type: ignore[arg-type]
            assert not live.update(Knob().model)
        assert "serves without --keys" in told[0]
        (box.folder / "bridges").unlink()
        with pytest.raises(ArgumentError, match="is not known there"):
            HotReload(48000, **options)  # type: ignore[arg-type]
    assert not plugin.dsp_path.exists()


# -- roles -----------------------------------------------------------------------------------------


def test_nobody_takes_over_anothers_session_or_name(two: Two, tmp_path: Path) -> None:
    eve = KeyRing(tmp_path / "eve")
    two.enrol(*RIGHTS)
    two.enrol("publish", name="eve", ring=eve)
    two.trust()
    two.trust(eve)
    endpoint = two.bridge.endpoint
    with (
        peer(endpoint, two.box) as ours,
        peer(endpoint, eve) as theirs,
        peer(endpoint, two.box) as watcher,
    ):
        assert isinstance(ask(ours, Hello("anna", "a" * 8)), Welcome)
        answer = ask(theirs, Hello("anna", "a" * 8))
        assert isinstance(answer, Rejection)
        assert "another" in answer.detail
        assert isinstance(ask(theirs, Hello("anna", "b" * 8)), Welcome)
        # Ours is still ours.
        assert isinstance(ask(ours, Snapshot(1, 1, 48000.0, gain(0.5))), Verdict)

        def names() -> set[tuple[str, str]]:
            state = ask(watcher, Watch())
            assert isinstance(state, State)
            return {(worker.user, worker.worker) for worker in state.workers}

        expected = {("box", "box/anna"), ("eve", "eve/anna")}
        eventually(lambda: names() >= expected, "both are seen under names of their own")
        assert not [name for user, name in names() if not name.startswith(f"{user}/")]


def test_a_worker_chooses_no_path_on_the_bridges_machine(two: Two, tmp_path: Path) -> None:
    two.enrol("publish")
    two.trust()
    theirs = {"dsp_path": str(tmp_path / "mine.dsp"), "config_path": str(tmp_path / "mine.txt")}
    with two.live(**theirs) as live:
        assert live.update(Knob().model)
        assert live.last.detail == str(two.plugin.dsp_path)
    assert not list(tmp_path.glob("mine*"))
    hello = codec.encode(Hello("anna", "a" * 8))
    with pytest.raises(MessageError):
        codec.decode(hello.replace(b"worker", b"w\xc1rker"))


# -- who listens on the way ------------------------------------------------------------------------

_WORDS = "a_line_that_nobody_else_writes"


class Wiretap:
    """A TCP forwarder that keeps what it carries."""

    def __init__(self, endpoint: str) -> None:
        self.carried = b""
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        self._to = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        others: dict[socket.socket, socket.socket] = {}
        while True:
            ready, _, _ = select.select([self._server, *others], [], [])
            for source in ready:
                if source is self._server:
                    try:
                        near, _ = self._server.accept()
                    except OSError:
                        for made in others:
                            made.close()
                        return
                    far = socket.create_connection(self._to)
                    others |= {near: far, far: near}
                elif source in others:
                    data = source.recv(65536)
                    self.carried += data
                    if data:
                        others[source].sendall(data)
                    else:
                        for end in (others.pop(source), source):
                            others.pop(end, None)
                            end.close()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()


@pytest.mark.parametrize("keys", [True, False])
def test_who_listens_on_the_way_reads_nothing_and_without_keys_everything(
    plugin: Plugin, tmp_path: Path, keys: bool
) -> None:
    """Without keys: the control."""
    studio, box = KeyRing(tmp_path / "studio"), KeyRing(tmp_path / "box")
    studio.enrol("box", box.pair()[0], frozenset({"publish", "text"}))
    options = ["--keys", str(studio.folder)] if keys else []
    with served(plugin, *options) as bridge, closing(Wiretap(bridge.endpoint)) as tap:
        if keys:
            box.trust(tap.endpoint, studio.pair()[0])
        ours = box.folder if keys else None
        with HotReload(48000, endpoint=tap.endpoint, keys=ours, timeout=10.0) as live:
            assert live.publish(f"process = _, _; // {_WORDS}")
    assert _WORDS in plugin.program()
    assert (_WORDS.encode() in tap.carried) is not keys
    assert len(tap.carried) > 500


# -- starting --------------------------------------------------------------------------------------


def test_a_bridge_with_keys_may_listen_everywhere_and_says_who_is_enrolled(
    plugin: Plugin, tmp_path: Path
) -> None:
    studio = KeyRing(tmp_path / "studio")
    with served(plugin, "--keys", str(studio.folder), bind="tcp://0.0.0.0:0") as bridge:
        assert bridge.endpoint.startswith("tcp://0.0.0.0:")
        assert "nobody is enrolled yet" in bridge.log()
        studio.enrol("box", bytes(32), frozenset({"publish"}))
        eventually(lambda: "box" in bridge.log(), "the bridge has seen it")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bind", "tcp://0.0.0.0:0"], ["faustwire keys enrol", "faustwire serve --keys"]),
        (["--bind", "tcp://0.0.0.0:0", "--keys"], ["chmod 700"]),
    ],
)
def test_a_bridge_that_others_could_reach_without_good_keys_does_not_start(
    plugin: Plugin, arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    KeyRing().folder.mkdir(mode=0o755)
    paths = ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    assert main(["serve", "--no-restart", *paths, *arguments]) == 64
    told = capsys.readouterr().err
    assert all(word in told for word in words)
