"""What the shell tells a recorder lies in the recording, with who it was and when."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import msgpack
import pytest

from faustwire import codec, recording
from faustwire.errors import MessageError
from faustwire.messages import (
    Choice,
    Event,
    Follow,
    Heard,
    Hello,
    Listen,
    Ping,
    Reason,
    Rejection,
    Snapshot,
    Verdict,
    Welcome,
)
from faustwire_bridge.core import events
from faustwire_bridge.core.compile_report import Control, Report
from faustwire_bridge.core.events import User
from faustwire_bridge.recordings import held_snapshots, journal, recorder
from faustwire_bridge.recordings.requests import MOST_REQUESTS
from graphs import fdn

OFFSET_NS = 1_795_000_000 * 10**9
ANN = User("ann", frozenset({"publish"}))
HELLO = Hello("run-7", "abc", "box", 12, every=2)
REPORT = Report("", 0.2, 0, 2, (Control("/live/dry_wet", 1.0, 0.0, 1.0),), math.inf)
EVENTS: list[events.CoreEvent] = [
    events.Lost(b"\0\1"),
    events.Revoked("gpu-box"),
    events.Unreadable(b"\0\1", "two frames", None),
    events.Compiled(REPORT),
    events.CompileFailed("libfaust hung"),
    events.Unchecked("no libfaust"),
    events.Written(),
    events.WriteFailed("No space left: /tmp/\udcff"),
    events.DspChanged(),
    events.Tick(),
    events.Judged(),
    events.JudgeFailed("it was not judged after 10 s"),
    events.Noticed("recording-stopped", "No space left"),
]
# Of what can be set aside.
ASIDE: list[events.CoreEvent] = [
    events.FinishedAside(events.Judged()),
    events.FinishedAside(events.JudgeFailed("it was not judged after 10 s")),
    events.FinishedAside(events.Compiled(REPORT)),
    events.FinishedAside(events.CompileFailed("libfaust hung")),
    events.FinishedAside(events.Unchecked("no libfaust")),
]


def snapshot(call: int) -> Snapshot:
    return Snapshot(call, call, 48000.0, fdn())


class Session:
    """A recorder, and a clock that goes on by a tenth of a second at each turn."""

    def __init__(self, folder: Path, *, published_only: bool = False) -> None:
        self.folder = folder
        writer = recording.RecordingWriter(folder, OFFSET_NS, {})
        self.recorder = recorder.Recorder(writer, OFFSET_NS, published_only=published_only)
        self.now_ns = 0

    def hello(self, peer: bytes = b"\0\1", hello: Hello = HELLO, user: User | None = ANN) -> None:
        self.arrives(hello, peer, user)
        self.recorder.identified(peer, hello, user)
        self.send(Welcome(1, "", ""), peer)

    def arrives(self, message: object, peer: bytes = b"\0\1", user: User | None = ANN) -> None:
        self.now_ns += 10**8
        self.recorder.arrived(self.now_ns, peer, codec.encode(message), user)  # type: ignore[arg-type]

    def send(self, message: object, peer: bytes = b"\0\1") -> None:
        data = codec.encode(message)  # type: ignore[arg-type]
        self.recorder.sent(self.now_ns, peer, data, message)  # type: ignore[arg-type]

    def items(self) -> list[recording.Item]:
        self.recorder.close()
        assert self.recorder.problem is None
        read = recording.Recording(self.folder)
        items = list(read)
        assert read.damage == []
        return items


@pytest.mark.parametrize("event", [*EVENTS, *ASIDE], ids=lambda event: repr(event)[:40])
def test_every_event_comes_back_from_the_journal(event: events.CoreEvent) -> None:
    assert journal.decode(journal.encode(event)) == event


def test_the_journal_knows_every_event_but_messages() -> None:
    known = set(journal._NAMES)
    assert known == {type(event) for event in EVENTS}
    assert set(get_args(events.CoreEvent)) - known == {events.Arrived, events.FinishedAside}
    with pytest.raises(KeyError):
        journal.encode(events.Arrived(b"", Ping()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x90",
        b"\x81\xa5event\xa7nothing",
        b"\x81\xa5event\x90",
        b"\x81\xa5event\xa4lost",
        b"\x82\xa5event\xa4lost\xa4peer\xa1x",
        b"\x82\xa5event\xa8compiled\xa6report\x80",
        b"\x82\xa5event\xa7written\xa5aside\xc3",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        bytes(journal.MAX_BYTES + 1),
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        journal.decode(body)


def test_a_judgement_leaves_its_time_alone() -> None:
    """It follows from the snapshot, and the text would be most of the recording."""
    judged = events.Judged("process = _;" * 10_000, warnings=("a",))
    assert len(journal.encode(judged)) < 20
    assert journal.decode(journal.encode(judged)) == events.Judged()


def test_a_conversation_is_told_with_who_it_was(tmp_path: Path) -> None:
    session = Session(tmp_path / "run")
    session.hello()
    session.arrives(snapshot(1))
    session.recorder.took(session.now_ns, events.Compiled(REPORT))
    event = Event(1, 0.2, "published", worker="run-7", incarnation="abc", call=1, program="ab")
    session.recorder.happened(session.now_ns, event)
    session.send(Verdict(1, True, Reason.PUBLISHED))
    items = session.items()
    assert [item.topic for item in items] == ["in", "out", "in", "core", "event", "out"]
    assert [item.at_ns - OFFSET_NS for item in items] == [10**8] * 2 + [2 * 10**8] * 4
    for item in items[:3] + items[5:]:
        assert recording.hello(item.metadata) == HELLO
        assert item.metadata["peer"] == "0001"
        assert item.metadata["user"] == "ann"
    assert codec.decode(items[0].data) == HELLO
    assert items[2].data == codec.encode(snapshot(1))
    assert journal.decode(items[3].data) == events.Compiled(REPORT)
    assert codec.decode(items[4].data) == event


def test_who_does_not_say_hello_is_known_by_its_connection_and_key(tmp_path: Path) -> None:
    session = Session(tmp_path / "run")
    session.arrives(Follow(Choice("first")), b"\7", User("bob", frozenset({"steer", "watch"})))
    session.arrives(HELLO, b"\x08")  # It has no right to publish, so nobody meets it.
    session.send(Rejection("no"), b"\x08")
    session.arrives(Ping(), b"\x09", None)
    items = session.items()
    assert [item.metadata for item in items] == [
        {"peer": "07", "user": "bob", "rights": "steer watch"},
        {"peer": "08", "user": "ann", "rights": "publish"},
        {"peer": "08", "user": "ann", "rights": "publish"},
        {"peer": "09"},
    ]


def test_a_connection_that_says_hello_again_goes_on_as_that_worker(tmp_path: Path) -> None:
    session = Session(tmp_path / "run")
    session.hello()
    session.hello(hello=Hello("run-8", "def"))
    session.arrives(Ping())
    session.recorder.took(session.now_ns, events.Lost(b"\0\1"))
    session.arrives(Ping())
    names = [item.metadata.get("worker") for item in session.items() if item.topic == "in"]
    assert names == ["run-7", "run-8", "run-8", None]


def test_a_crowd_of_strangers_shares_a_channel(tmp_path: Path) -> None:
    session = Session(tmp_path / "run")
    for number in range(3000):
        session.arrives(Ping(), number.to_bytes(4, "big"))
    items = session.items()
    assert len(items) == 3000
    assert len({item.metadata["peer"] for item in items}) == 257
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_only_published_snapshots_are_kept_if_so_told(tmp_path: Path) -> None:
    """Also those that are published later than they are answered; text is kept always."""
    session = Session(tmp_path / "run", published_only=True)
    session.hello()
    for call in range(1, 11):
        session.arrives(snapshot(call))
        published = call % 4 == 1
        reason = Reason.PUBLISHED if published else Reason.MIN_INTERVAL
        session.send(Verdict(call, published, reason))
    settled = Event(1, 0.2, "settled", worker="run-7", incarnation="abc", call=10, program="ab")
    session.recorder.happened(session.now_ns, settled)
    items = session.items()
    kept = [item for item in items if item.topic == "in" and len(item.data) > 300]
    assert [item.data for item in kept] == [codec.encode(snapshot(n)) for n in (1, 5, 9, 10)]
    assert sum(item.topic == "out" for item in items) == 11
    assert [item.at_ns for item in items] == sorted(item.at_ns for item in items)


def test_what_a_worker_supersedes_does_not_push_out_what_is_being_judged(tmp_path: Path) -> None:
    session = Session(tmp_path / "run", published_only=True)
    session.hello()
    session.arrives(snapshot(1))
    for call in range(2, 10):
        session.arrives(snapshot(call))
        if call > 2:
            session.send(Verdict(call - 1, False, Reason.SUPERSEDED))
    session.send(Verdict(1, True, Reason.PUBLISHED))
    kept = [item.data for item in session.items() if item.topic == "in" and len(item.data) > 300]
    assert kept == [codec.encode(snapshot(1))]


def test_snapshots_of_unknown_fate_are_held_within_a_bound(tmp_path: Path) -> None:
    held = held_snapshots.HeldSnapshots()
    channel = recording.of_bridge("in")
    for number in range(1000):
        for seq in range(5):
            held.put(str(number), held_snapshots.Held(channel, seq, seq, bytes(2**20)))
    assert held._bytes <= held_snapshots.MAX_BYTES
    assert held._bytes == sum(len(one.data) for row in held._held.values() for one in row)
    assert held.take("0", seq=4) is None
    assert held.take("999", seq=4) is not None
    assert held.take("999", seq=4) is None


def test_a_recording_says_what_it_was_made_of(tmp_path: Path) -> None:
    made = recorder.begin(str(tmp_path), dsp_path="/tmp/live é.dsp", rules={"cost_multiple": "10"})
    made.close()
    (path,) = tmp_path.iterdir()
    assert path.name.endswith("Z-live_é-0001.mcap")
    said = recording.Recording(path).metadata
    assert said["dsp_path"] == "/tmp/live é.dsp"
    assert said["cost_multiple"] == "10"
    assert said["kept"] == "all"
    assert int(said["monotonic_offset_ns"]) > 0


def test_a_request_to_hear_that_is_repeated_is_recorded_once(tmp_path: Path) -> None:
    """Whoever listens asks again every few seconds, for days."""
    session = Session(tmp_path / "run")
    listen = [codec.encode(Listen("abc", after)) for after in (0, 0, 0, 3, 3, 0)]
    taken = [session.recorder.asked(0, b"\0\7", data) for data in listen]
    assert taken == [True, False, False, True, False, True]
    assert session.recorder.asked(0, b"\0\x08", listen[0]), "another connection's"
    snapshot_bytes = codec.encode(snapshot(3))
    heard = Heard("abc", 3, Reason.PUBLISHED, snapshot=snapshot_bytes)
    session.recorder.heard(0, b"\0\7", heard)
    items = session.items()
    assert [item.data for item in items if item.topic == "in"] == [
        listen[0],
        listen[3],
        listen[5],
        listen[0],
    ]
    (told,) = (item.data for item in items if item.topic == "out")
    assert codec.decode(told) == replace(heard, snapshot=b"")
    assert msgpack.unpackb(told)["left_out"] == len(snapshot_bytes)


def test_who_only_listens_cannot_fill_the_disk(tmp_path: Path) -> None:
    """The control: who may publish can, in other ways."""
    session = Session(tmp_path / "run")
    for user, peer in ((User("eve", frozenset({"watch"})), b"\0\7"), (ANN, b"\0\x08")):
        for after in range(300):
            data = codec.encode(Listen("abc", after))
            session.recorder.asked(0, peer, data, user)
            session.recorder.heard(0, peer, Heard("abc", after + 1, Reason.PUBLISHED))
            session.recorder.heard(0, peer, Heard("abc", after + 1, Reason.PUBLISHED))
    eve = User("eve", frozenset({"watch"}))
    assert session.recorder.asked(2 * 10**9, b"\0\7", codec.encode(Listen("abc")), eve)
    items = session.items()
    kept = Counter((item.metadata["user"], item.topic) for item in items)
    assert kept == {
        ("eve", "in"): MOST_REQUESTS + 1,
        ("eve", "out"): MOST_REQUESTS,
        ("ann", "in"): 300,
        ("ann", "out"): 300,
    }
