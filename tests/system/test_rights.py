"""What each right permits: every cell of the table in docs/security.md, on a bridge's one port."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest
import zmq

from bridges import Plugin, ServedBridge, served
from faustwire import codec
from faustwire.curve import secure
from faustwire.key_ring import RIGHTS, KeyRing
from faustwire.messages import (
    Choice,
    Follow,
    Heard,
    Hello,
    Listen,
    Message,
    OwnProgram,
    Ping,
    Pong,
    Rejection,
    Snapshot,
    State,
    Steered,
    ToBridge,
    Verdict,
    Watch,
    Welcome,
)
from graphs import gain
from peers import peer as worker

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "security.md").read_text().partition("| a connection with |")[2]
HEAD, *ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.partition("\n\n")[0].splitlines()
]
# What is asked in each column, in this order, and what the answer is if it is allowed.
QUESTIONS: dict[str, tuple[ToBridge, type[Message]]] = {
    "`hello`": (Hello("anna", "a"), Welcome),
    "`snapshot`": (Snapshot(1, 1, 48000.0, gain(0.5)), Verdict),
    "`ping`": (Ping(), Pong),
    "`source`": (OwnProgram(2, "process = 0,0;"), Verdict),
    "`watch`": (Watch(), State),
    "`listen`": (Listen("heard-1"), Heard),
    "`follow`": (Follow(Choice("latest")), Steered),
}
CELLS = {row[0]: dict(zip(HEAD, row[1:], strict=True)) for row in ROWS if not set(row[0]) <= {"-"}}
NO_KEY = "the local socket"
# The one right that is good for nothing without another.
TEXT = "`publish,text`"
OPEN = "a port without `--keys`"
NOT_ENROLLED = "a key that is not enrolled"
SUBSETS = [*chain.from_iterable(combinations(RIGHTS, count) for count in range(1, 5))]
ANSWER_MS, SILENCE_MS = 10_000, 500


class Guarded:
    """A bridge with keys, and a machine for each set of rights."""

    def __init__(self, bridge: ServedBridge, plugin: Plugin, rings: dict[str, KeyRing]) -> None:
        self.bridge, self.plugin, self.rings = bridge, plugin, rings

    def connect(self, context: zmq.Context[zmq.Socket[bytes]], who: str) -> zmq.Socket[bytes]:
        """A connection of one row of the table."""
        made = context.socket(zmq.DEALER)
        made.setsockopt(zmq.LINGER, 0)
        if who == NO_KEY:
            made.connect(self.plugin.place.endpoint)
            return made
        secure(made, self.bridge.endpoint, self.rings[who])
        made.connect(self.bridge.endpoint)
        return made


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    plugin = Plugin(tmp_path_factory.mktemp("plugin"))
    studio = KeyRing(tmp_path_factory.mktemp("studio"))
    studio.folder.chmod(0o700)
    rings = {named(rights): KeyRing(tmp_path_factory.mktemp("box")) for rights in SUBSETS}
    rings[NOT_ENROLLED] = KeyRing(tmp_path_factory.mktemp("stranger"))
    for ring in rings.values():
        ring.folder.chmod(0o700)
    for number, rights in enumerate(SUBSETS):
        studio.enrol(f"box{number}", rings[named(rights)].pair()[0], frozenset(rights))
    with served(plugin, "--keys", str(studio.folder)) as bridge:
        for ring in rings.values():
            ring.trust(bridge.endpoint, studio.pair()[0])
        give_something_to_hear(plugin.place.endpoint)
        yield Guarded(bridge, plugin, rings)
    plugin.end_bridge()


def give_something_to_hear(endpoint: str) -> None:
    """Without it nobody who may listen is answered."""
    with worker(endpoint, "heard") as heard:
        assert heard.update(0.25).published


def named(rights: tuple[str, ...]) -> str:
    """A set of rights as a row of the table is called."""
    return "`" + ",".join(rights) + "`"


def allowed(client: zmq.Socket[bytes], who: str) -> dict[str, bool | None]:
    """What a connection may do; None: it is not answered at all."""
    asked = {**QUESTIONS, "`hello`": (Hello("anna", who, min_interval=0.0), Welcome)}
    return {column: _answered(client, *asked[column]) for column in QUESTIONS}


def _answered(client: zmq.Socket[bytes], question: ToBridge, wanted: type[Message]) -> bool | None:
    client.send(codec.encode(question))
    if not client.poll(ANSWER_MS):
        return None
    answer = codec.decode(client.recv())
    if isinstance(answer, Rejection):
        assert "is not enrolled to" in answer.detail
        return False
    assert isinstance(answer, wanted), answer
    return not (isinstance(answer, Verdict) and "no Faust text of its own" in answer.detail)


def told(who: str) -> dict[str, bool]:
    """What a row of the table says."""
    return {column: CELLS[who][column] == "yes" for column in QUESTIONS}


def test_the_table_has_a_row_for_each_right_and_a_column_for_each_question() -> None:
    assert [*QUESTIONS, "test"] == HEAD
    assert {named((right,)) for right in RIGHTS} < set(CELLS)
    assert {NO_KEY, OPEN, NOT_ENROLLED, TEXT} < set(CELLS)
    for row in CELLS.values():
        assert {row[column] for column in QUESTIONS} <= {"yes", "no"}


@pytest.mark.parametrize("who", [*(named(rights) for rights in SUBSETS), NO_KEY])
def test_each_cell_is_as_the_table_says_and_rights_add_up(guarded: Guarded, who: str) -> None:
    """The cells that say yes are the control of those that say no."""
    guarded.plugin.dsp_path.unlink(missing_ok=True)
    with zmq.Context() as context, guarded.connect(context, who) as client:
        found = allowed(client, who)
    if who == NO_KEY:
        expected = told(who)
    else:
        rights = who.strip("`").split(",")
        rows = [told(f"`{right}`") for right in rights]
        if {"publish", "text"} <= set(rights):
            rows.append(told(TEXT))
        expected = {column: any(row[column] for row in rows) for column in QUESTIONS}
    assert found == expected
    # Who may steer may have the plugin hear the one before, who is there for some seconds more.
    if expected["`snapshot`"] or expected["`source`"]:
        assert guarded.plugin.dsp_path.exists()


def test_a_key_that_is_not_enrolled_is_not_even_answered(guarded: Guarded) -> None:
    assert not any(told(NOT_ENROLLED).values())
    with zmq.Context() as context, guarded.connect(context, NOT_ENROLLED) as client:
        for question, _ in QUESTIONS.values():
            client.send(codec.encode(question))
        assert not client.poll(SILENCE_MS)


def test_a_port_without_keys_is_open_for_everything(plugin: Plugin) -> None:
    with served(plugin) as bridge, zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.connect(bridge.endpoint)
        give_something_to_hear(bridge.endpoint)
        assert allowed(client, OPEN) == told(OPEN)


def test_a_bridge_listens_at_one_port(guarded: Guarded) -> None:
    """And at no other, for whatever is watched, published or steered there."""
    port = int(guarded.bridge.endpoint.rpartition(":")[2])
    assert _listening(guarded.bridge.process.pid) == [port]


def _listening(pid: int) -> list[int]:
    """The TCP ports at which a process listens; see proc(5)."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system does not tell")
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {found[1] for link in links if (found := re.match(r"socket:\[(\d+)\]", link))}
    ports = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *others = line.split()
            if state == "0A" and others[5] in sockets:
                ports.append(int(local.rpartition(":")[2], 16))
    return ports
