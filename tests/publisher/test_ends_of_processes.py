"""The last state gets through however a process ends, and a training's own state is left alone."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch

from bridges import Plugin, eventually
from faustwire import HotReload, lowers
from faustwire.graph import Gain
from faustwire.rendezvous import rendezvous
from faustwire_publisher import ModelError
from faustwire_publisher.bridge_process import EmbeddedBridge
from training_scripts import trained


@pytest.mark.slow
def test_a_multiprocessing_child_hands_over_its_last_state(plugin: Plugin) -> None:
    """It ends without running what is registered with atexit."""
    trained(
        plugin,
        """
        import multiprocessing

        held = []

        def train():
            own = HotReload(48000, dsp_path=live._session._link._place.dsp_path, wait=False,
                            min_interval=0, timeout=20.0)
            held.append(own)  # what goes out of scope has always taken its leave
            for _ in range(50):
                knob.step()
                own.update(knob.model)

        process = multiprocessing.get_context("fork").Process(target=train)
        process.start()
        process.join()
        sys.exit(process.exitcode)
        """,
    )
    assert "7.25" in plugin.program(), "1 + 50 · 0.125"


def test_what_an_ending_interpreter_refuses_is_no_failure_of_ours(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.12.0 to 3.12.2 start neither a process nor a thread then."""

    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't fork at interpreter shutdown")

    bridge = EmbeddedBridge(rendezvous(plugin.dsp_path), str(plugin.config_path))
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuses)
        assert "interpreter shutdown" in (bridge.revive() or "")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuses)
        assert bridge.revive() is None
    eventually(plugin.bridge_pid, "the bridge has come all the same")
    child = bridge._child
    assert child is not None
    child.terminate()
    child.wait(20.0)


def test_a_seeded_training_draws_the_same_numbers_with_and_without_it() -> None:
    """Reconnecting waits for random times, which are drawn elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        dialled = threading.Semaphore(0)
        over = threading.Event()

        def hang_up() -> None:
            server.settimeout(0.05)
            while not over.is_set():
                with suppress(TimeoutError):
                    server.accept()[0].close()
                    dialled.release()

        thread = threading.Thread(target=hang_up)
        thread.start()
        state = random.getstate()
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        try:
            with HotReload(48000, endpoint=endpoint, wait=False, timeout=0.1) as live:
                live.publish("process = _,_;")
                for _ in range(4):
                    assert dialled.acquire(timeout=20.0)
        finally:
            over.set()
            thread.join()
    assert random.getstate() == state


def test_a_class_that_was_defined_again_is_told_so(plugin: Plugin) -> None:
    """As autoreload and a notebook's cell do it."""

    def define() -> type[torch.nn.Module]:
        class Mine(torch.nn.Module):
            pass

        return Mine

    first = define()

    @lowers(first)
    def mine(_: torch.nn.Module, name: str) -> Gain:
        return Gain(name, np.eye(2))

    with (
        HotReload(48000, **plugin.paths) as live,
        pytest.raises(ModelError, match="Mine was defined anew after its rule was registered"),
    ):
        live.update(define()())
