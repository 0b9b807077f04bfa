"""A listener whose connections were cut is opened again, whatever became of the folder it is in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import zmq

from bridges import eventually
from faustwire import rendezvous
from faustwire.curve import secure
from faustwire.key_ring import KeyRing
from faustwire_bridge.service.listener import GoneError
from faustwire_bridge.service.listeners import Listeners

SECONDS = 5.0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[rendezvous.Rendezvous]:
    with tempfile.TemporaryDirectory() as root:  # a path of a socket has to be short
        monkeypatch.setattr(rendezvous, "_ROOT", Path(root))
        yield rendezvous.rendezvous(tmp_path / "live.dsp")


@pytest.mark.parametrize("open_to_all", [False, True])
def test_a_listener_is_opened_again_though_its_folder_was_removed(
    place: rendezvous.Rendezvous, tmp_path: Path, *, open_to_all: bool
) -> None:
    """Connections with keys are cut when a key is revoked; all of them are in a flood."""
    studio, anna = KeyRing(tmp_path / "studio"), KeyRing(tmp_path / "anna")
    studio.enrol("anna", anna.pair()[0], frozenset({"watch"}))
    studio.enrol("bert", b"\1" * 32, frozenset({"watch"}))
    place.prepare()
    with (
        closing(Listeners(place, ["tcp://127.0.0.1:0"], studio)) as listeners,
        zmq.Context() as context,
        closing(context.socket(zmq.DEALER)) as talker,
    ):
        talker.setsockopt(zmq.LINGER, 0)
        talker.setsockopt(zmq.RECONNECT_IVL, 20)
        anna.trust(listeners.endpoints[0], studio.pair()[0])
        secure(talker, listeners.endpoints[0], anna)
        talker.connect(listeners.endpoints[0])

        def is_heard() -> bool:
            with suppress(zmq.Again):
                talker.send(b"hello", zmq.DONTWAIT)
            while (got := listeners.receive()) is not None:
                with suppress(GoneError):
                    listeners.send(got.peer, got.frames[0])
            answered = False
            while talker.poll(10):
                answered = talker.recv() == b"hello" or answered
            return answered

        eventually(is_heard, "it is connected", SECONDS)
        shutil.rmtree(place.directory)
        if open_to_all:
            place.directory.mkdir()
            place.directory.chmod(0o777)
        studio.revoke("bert")

        def is_cut() -> bool:
            is_heard()
            return listeners.pop_revoked() == ["bert"]

        eventually(is_cut, "it is cut", SECONDS)
        if open_to_all:
            while is_heard():  # what it was answered before
                pass
            assert not any(is_heard() for _ in range(20))
            place.directory.chmod(0o700)
        eventually(is_heard, "it is connected again", SECONDS)
        assert place.directory.stat().st_mode & 0o077 == 0
