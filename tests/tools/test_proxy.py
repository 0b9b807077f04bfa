"""The network of the tests' own leaves nothing behind, whenever its callers come."""

from __future__ import annotations

import gc
import random
import socket
import sys
import time
from contextlib import ExitStack, closing

import pytest

from proxy import Proxy


def test_no_connection_stays_open_that_is_cut_as_soon_as_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also not one that comes while the proxy ends."""
    told: list[object] = []
    gc.collect()
    monkeypatch.setattr(sys, "unraisablehook", lambda problem: told.append(problem.exc_value))
    for number in range(10):
        with (
            ExitStack() as callers,
            closing(socket.create_server(("127.0.0.1", 0))) as bridge,
            Proxy(f"tcp://127.0.0.1:{bridge.getsockname()[1]}") as proxy,
        ):
            proxy.answers = number % 2 == 0
            port = int(proxy.endpoint.rpartition(":")[2])
            for caller in range(20):
                made = socket.create_connection(("127.0.0.1", port))
                callers.enter_context(closing(made))
                if caller % 3 == 0:
                    proxy.cut()
    gc.collect()
    assert told == []


def test_no_connection_stays_open_whose_caller_leaves_while_it_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    dice = random.Random(1)  # noqa: S311 - when to cut
    gc.collect()
    monkeypatch.setattr(sys, "unraisablehook", lambda problem: told.append(problem.exc_value))
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as bridge,
        Proxy(f"tcp://127.0.0.1:{bridge.getsockname()[1]}") as proxy,
    ):
        port = int(proxy.endpoint.rpartition(":")[2])
        for _ in range(1000):
            caller = socket.create_connection(("127.0.0.1", port))
            with bridge.accept()[0]:
                caller.close()
                # At any of the moments that it takes the proxy to notice.
                cut_at = time.perf_counter() + dice.uniform(0.0, 4e-4)
                while time.perf_counter() < cut_at:
                    pass
                proxy.cut()
    gc.collect()
    assert told == []
