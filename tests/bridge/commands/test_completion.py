"""A shell completes commands and options."""

from __future__ import annotations

import subprocess
import sys

import pytest

from faustwire_bridge.cli import main

pytest.importorskip("shtab")


def test_bash_completes_commands_options_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    ask = """
COMP_WORDS=(faustwire {words}); COMP_CWORD={at}; COMP_LINE="faustwire {words}"
$(complete -p faustwire | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

    def completed(*words: str) -> list[str]:
        asked = ask.format(words=" ".join(words), at=len(words))
        done = subprocess.run(
            ["bash", "-c", script + asked], capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert completed("rep") == ["replay"]
    assert completed("replay", "--publ") == ["--published"]
    assert completed("keys", "for") == ["forget"]


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script_too(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "replay" in capsys.readouterr().out


def test_without_shtab_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 64
    assert "pip install 'faustwire[completion]'" in capsys.readouterr().err
