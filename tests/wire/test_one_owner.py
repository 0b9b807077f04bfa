"""Rules that only one module may hold."""

from __future__ import annotations

import pytest

from source_tree import files_with

OWNERS = {
    "options of a client's socket": (
        r"RECONNECT_IVL|CONNECT_TIMEOUT|HEARTBEAT_IVL",
        "wire/faustwire/client_socket.py",
    ),
    "CURVE on sockets": (
        r"CURVE_(SERVER|SECRET|PUBLIC)KEY|CURVE_SERVER\b|curve_(server|secret|public)key",
        "wire/faustwire/curve.py",
    ),
    "loading cyfaust, and compiling with it": (
        r"(from|import) cyfaust\b|create_dsp_factory_from",
        "bridge/faustwire_bridge/children/cyfaust_wheel.py",
    ),
    "whether a delay is whole": (
        r"\b_?WHOLE\b|np\.round\(\w*(samples|used|delays)|floor\((samples|used|delays) \+",
        "wire/faustwire/graph.py",
    ),
    "a node's label in a path": (
        r"\.name or \w+\.type",
        "wire/faustwire/graph.py",
    ),
    "opening a file without waiting for a pipe": (
        r"O_RDONLY \| os\.O_NONBLOCK",
        "wire/faustwire/bounded_file.py",
    ),
    "what a worker or a metric may be called": (
        r"MAX_NAME\b.*is_utf8",
        "wire/faustwire/worker_name.py",
    ),
    "how long a node's name may be": (
        r"a name is longer than",
        "wire/faustwire/validation.py",
    ),
    "escaping for terminals": (
        r"isprintable\(\) else repr",
        "wire/faustwire/terminal.py",
    ),
}


@pytest.mark.parametrize("rule", OWNERS)
def test_a_rule_has_one_owner(rule: str) -> None:
    pattern, owner = OWNERS[rule]
    assert files_with(pattern) == [owner]
