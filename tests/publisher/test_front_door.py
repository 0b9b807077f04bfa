"""``from faustwire import …``: cheap to import, and clear about what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import faustwire
import faustwire_bridge
import faustwire_publisher

NAMES = (
    *("HotReload", "Replay", "certify", "flamo_to_faust", "flamo_to_json", "json_to_faust"),
    *("json_to_flamo", "log_sound", "lowers"),
)


def run(script: str) -> str:
    """What a script prints in an interpreter of its own; it must end well."""
    command = [sys.executable, "-W", "ignore", "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_importing_it_imports_nothing_that_takes_time() -> None:
    loaded = run(
        "import sys, faustwire; dir(faustwire)\n"
        "print([name for name in ('torch', 'flamo', 'numpy', 'zmq') if name in sys.modules])"
    )
    assert loaded == "[]\n"


def test_every_name_is_there_and_is_the_one_of_the_old_import() -> None:
    assert set(NAMES) <= set(dir(faustwire))
    for name in NAMES:
        assert callable(getattr(faustwire, name))
    for name in ("HotReload", "Replay", "flamo_to_json", "json_to_flamo", "log_sound", "lowers"):
        assert getattr(faustwire, name) is getattr(faustwire_publisher, name)
    for name in ("certify", "json_to_faust"):
        assert getattr(faustwire, name) is getattr(faustwire_bridge, name)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        getattr(faustwire, "nothing_of_the_kind")  # noqa: B009 - mypy knows that it is not there


@pytest.mark.parametrize("missing", ["torch", "flamo"])
@pytest.mark.parametrize(
    "used",
    [
        *("faustwire.HotReload", "faustwire.flamo_to_json", "faustwire.flamo_to_faust(None, 1)"),
        *("faustwire.log_sound", "faustwire_publisher.HotReload", "faustwire_publisher.lowers"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(missing: str, used: str) -> None:
    told = run(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import faustwire, faustwire_publisher\n"
        f"try:\n    {used}\nexcept ModuleNotFoundError as problem:\n    print(problem)"
    )
    assert missing in told
    assert "pip install 'faustwire[train]'" in told


def test_a_replay_and_a_program_from_a_file_need_neither() -> None:
    run(
        "import sys; sys.modules['torch'] = sys.modules['flamo'] = None\n"
        "import faustwire; faustwire.Replay; faustwire.json_to_faust; faustwire.certify"
    )
