"""The network of the tests' own leaves nothing behind, whenever its callers come."""

from __future__ import annotations

import gc
import socket
import sys
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
