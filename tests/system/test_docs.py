"""What the documentation shows works, and what it states is so."""

from __future__ import annotations

import argparse
import re
import textwrap
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import faustwire
from bridges import Plugin
from faustwire import codec, validation
from faustwire.graph import CONTAINERS, LEAVES
from faustwire.key_ring import KeyRing
from faustwire.messages import Reason
from faustwire_publisher.lowering import registry
from models import fdn

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WIRE = (ROOT / "docs" / "wire.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


class Trainer:
    """A training loop without callbacks."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def train(self, train_set: Any, valid_set: Any) -> None:
        for x, target in (*train_set, *valid_set):
            torch.nn.functional.mse_loss(self.model(x), target).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.optimizer.zero_grad()


def test_the_readmes_python_runs(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every block, in order, in one process; only the plugin's files lie elsewhere."""
    from bridges import served

    ours = partial(faustwire.HotReload, **plugin.paths, timeout=10.0)
    monkeypatch.setattr(faustwire, "HotReload", ours, raising=False)
    impulse = torch.eye(1, 2048).reshape(1, 2048, 1)
    data = [(impulse, torch.zeros(1, 2048, 1))] * 3
    model = fdn(4)
    trainer = Trainer(model)
    names: dict[str, Any] = {
        "model": model,
        "data": data,
        "train_set": data,
        "valid_set": data,
        "criterion": torch.nn.MSELoss(),
        "optimizer": trainer.optimizer,
        "trainer": trainer,
    }
    assert len(BLOCKS) == 4
    keyring = KeyRing()
    keyring.enrol("gpu-box", keyring.pair()[0], frozenset({"publish"}))
    with served(plugin, "--keys") as bridge:
        keyring.trust(bridge.endpoint, keyring.pair()[0])
        for block in BLOCKS:
            exec(block.replace("tcp://studio:5555", bridge.endpoint), names)  # noqa: S102
            names["live"].update(model, force=True)
            assert names["live"].last.reason in (Reason.PUBLISHED, Reason.UNCHANGED)
            names["live"].close()
    assert "rt60" in capsys.readouterr().out


def test_the_readme_names_every_reason_that_holds_a_call_back() -> None:
    told = {str(reason) for reason in Reason} - {"published", "handed-over", "superseded"}
    assert all(f"`{reason}`" in README for reason in told)


def test_the_wire_page_names_every_message_field_and_node() -> None:
    for name, message in codec._TYPES.items():
        assert f"**{name}**" in WIRE or f"`{name}`" in WIRE, name
        for field in fields(message):
            assert f"`{field.name}`" in WIRE, f"{name}.{field.name}"
    for node in (*LEAVES, *CONTAINERS):
        assert f"| `{node.type}` |" in WIRE
        for field in fields(node):
            assert f"`{field.name}`" in WIRE, f"{node.type}.{field.name}"


def test_the_wire_page_states_the_limits_that_hold() -> None:
    powers = {2**21: "2²¹", 2**17: "2¹⁷", 2**20: "2²⁰"}
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", WIRE, re.MULTILINE))
    assert rows["channels of a node"] == str(validation.MAX_CHANNELS)
    assert rows["delay"].startswith(powers[validation.MAX_DELAY_SAMPLES])
    assert rows["FIR taps"] == powers[validation.MAX_TAPS]
    assert rows["second-order sections in a cascade"] == str(validation.MAX_SECTIONS)
    assert rows["nodes, nesting"] == f"{validation.MAX_NODES}, {validation.MAX_DEPTH}"
    assert rows["numbers in a graph"] == powers[validation.MAX_VALUES]
    assert rows["list and map elements in a message"] == powers[codec.MAX_ELEMENTS]
    assert f"{codec.MAX_BYTES // 2**20} MiB" in WIRE
    assert f"{codec.MAX_PROGRAM // 2**20} Mi characters" in WIRE


def test_the_plugin_page_states_what_the_bridge_goes_by() -> None:
    from faustwire.rendezvous import CONFIG_PATH
    from faustwire_bridge.core.plugin_limits import PLUGIN_SLOTS
    from faustwire_bridge.core.sound_limits import MAX_LOAD

    page = (ROOT / "docs" / "plugin.md").read_text()
    assert f"`{CONFIG_PATH}`, always" in page
    assert f"has {PLUGIN_SLOTS} knobs" in page
    assert f"more than {100 * MAX_LOAD:.0f} % of a core" in page
    for command in re.findall(r"python (examples/\S+\.py)", page):
        assert (ROOT / command).is_file()


def test_the_models_page_names_every_module_that_has_a_rule() -> None:
    page = (ROOT / "docs" / "models.md").read_text()
    parallel = re.compile("^parallel(Biquad|SOSFilter|SVF|GEQ|PEQ|AccurateGEQ)$")
    for kind in registry._RULES:
        known = parallel.match(kind.__name__) or kind.__module__.startswith(
            ("torch", "test", "lightning")
        )
        assert known or f"`{kind.__name__}`" in page or "AntiAlias" in kind.__name__, kind
    for full_name in registry._NAMED:
        name = full_name.rpartition(".")[2]
        assert f"`{name}`" in page or not full_name.startswith("flamo.auxiliary"), name


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_architecture_page_names_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    for root in ("wire/faustwire", "publisher/faustwire_publisher", "bridge/faustwire_bridge"):
        for path in (ROOT / root).iterdir():
            if path.name.startswith("_") or path.name == "py.typed":
                continue
            assert path.name in page, path


def test_the_security_page_names_tests_that_are_there() -> None:
    """A file, or a test in it; and each row of a table of promises names one."""
    page = (ROOT / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 10
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
    for table in re.findall(r"^\|.*\| test \|\n\|[ |-]+\|\n((?:\|.*\n)+)", page, re.MULTILINE):
        for row in table.splitlines():
            assert "`tests/" in row.rstrip(" |").rpartition("|")[2], row


def test_what_contributing_names_is_there() -> None:
    """Paths in backquotes, but for those that the recipes tell people to make."""
    made = {"bridge/faustwire_bridge/commands/ping.py", "tests/recordings/v1/silent.mcap"}
    made |= {"tests/wire/messages-v2", "tests/recordings/v2"}
    page = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(
        re.findall(r"`((?:bridge|publisher|wire|tests|tools|docs|examples)/[\w./-]+)`", page)
    )
    assert len(named) > 20
    assert [path for path in sorted(named - made) if not (ROOT / path).exists()] == []


def test_the_recipes_name_tables_where_they_are() -> None:
    """``NAME` in `path``: the file defines it at its top level."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`(\w+)` (?:in|of)\s+`((?:\w+/)+\w+\.py)`", page)
    assert {name for name, _ in named} >= {"Reason", "_LEAVES", "_TYPES", "_CHECKS", "EXAMPLES"}
    for name, path in named:
        file = ROOT / ("bridge/faustwire_bridge" if path.startswith("commands/") else "") / path
        defined = rf"^(class {name}\b|{name}(:.*)? = )"
        assert re.search(defined, file.read_text(), re.MULTILINE), f"{name} is not in {path}"


def test_the_recipe_for_a_command_makes_one(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(r"```python\n(   \"{3}``faustwire ping.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block), names)  # noqa: S102
    parser = argparse.ArgumentParser()
    names["add"](parser.add_subparsers())
    with pytest.raises(SystemExit):
        parser.parse_args(["ping", "--help"])
    assert "Exit codes" in capsys.readouterr().out


def test_contributing_says_why_a_file_is_long() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    for folder in ("wire", "publisher", "bridge", "examples", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT)
            if len(path.read_text().splitlines()) > 300:
                assert f"| `{name}` |" in page, f"{name}: split it, or say there why not"
