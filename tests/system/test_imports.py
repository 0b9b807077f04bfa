"""Which room may import which, and that an installed wheel carries its types."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_one_way_through_the_house_holds() -> None:
    """The contracts in pyproject.toml, checked by import-linter."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "7 kept, 0 broken" in result.stdout


def test_the_packages_say_that_they_are_typed() -> None:
    for package in ("faustwire", "faustwire_publisher", "faustwire_bridge"):
        assert files(package).joinpath("py.typed").is_file()


def test_the_publisher_is_there_without_torch_until_a_model_is_to_be_published() -> None:
    script = """
import sys
sys.modules["torch"] = sys.modules["flamo"] = None
import faustwire_publisher
from faustwire_publisher import ArgumentError, bridge_process, client, mailbox
assert "HotReload" in dir(faustwire_publisher)
for name in ("HotReload", "flamo_to_json"):
    try:
        getattr(faustwire_publisher, name)
    except ImportError:
        pass
    else:
        raise SystemExit(f"{name} without torch")
assert not hasattr(faustwire_publisher, "nothing_of_the_kind")
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_programs_that_people_run_need_nothing_of_the_tests() -> None:
    """Tests may use what is in tools/, not the other way round."""
    of_tests = {path.stem for path in (ROOT / "tests" / "support").glob("*.py")} | {"pytest"}
    assert "peers" in of_tests
    for path in (*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tools").glob("*.py")):
        named = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
        assert not of_tests & set(named), path.name


def test_no_two_public_types_have_one_name() -> None:
    homes: dict[str, list[str]] = {}
    for package in ("wire", "publisher", "bridge"):
        for path in (ROOT / package).rglob("*.py"):
            for name in re.findall(r"^class ([A-Za-z]\w*)", path.read_text(), re.MULTILINE):
                homes.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}
