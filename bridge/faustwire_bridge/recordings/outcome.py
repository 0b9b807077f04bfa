"""What comes of deciding again: programs and verdicts in a folder, and where they differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from faustwire.errors import FaustwireError
from faustwire.fingerprint import fingerprint
from faustwire.messages import Verdict

INDEX = "verdicts.jsonl"
_PROGRAM = re.compile(r"\d{6}\.dsp")
# Told one by one; of more there is a count.
_MAX_TOLD = 50


class FolderError(FaustwireError, ValueError):
    """A folder that holds something else."""


@dataclass
class Outcome:
    """What came of deciding again.

    Attributes:
        verdicts: how many were given.
        programs: SHA-256 of each program that was written, in hex, in this order.
        notes: what could not be done as in the bridge, a line each.
        differences: from what was recorded, a line each, the first ones.
        differing: how many there are.
    """

    verdicts: int = 0
    programs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    differing: int = 0

    def differs(self, what: str) -> None:
        """Note a difference."""
        self.differing += 1
        if len(self.differences) < _MAX_TOLD:
            self.differences.append(what)


class Output:
    """A folder with a file for each program, and a line for each verdict and each program."""

    def __init__(self, folder: Path, outcome: Outcome) -> None:
        """Empty the folder of what an earlier one has left.

        Args:
            folder: where the files go; it is made if it is not there.
            outcome: counts the verdicts and collects the programs' fingerprints.

        Raises:
            FolderError: there is something else in it.
            OSError: the folder can't be made, emptied or written to.
        """
        self._folder = folder
        self._outcome = outcome
        folder.mkdir(parents=True, exist_ok=True)
        there = list(folder.iterdir())
        strange = [path for path in there if path.name != INDEX and not _PROGRAM.match(path.name)]
        if strange or (there and not (folder / INDEX).exists()):
            raise FolderError(
                f"{folder} holds {(strange or there)[0].name}, which no offline replay has left "
                "there: name a new folder"
            )
        for path in there:
            path.unlink()
        # Problems name files, whose names may not be valid Unicode.
        self._index: IO[str] = (folder / INDEX).open(
            "w", encoding="utf-8", errors="backslashreplace"
        )

    def close(self) -> None:
        """End the index."""
        self._index.close()

    def program(self, text: str, **about: Any) -> None:
        """Write a program to a file of its own, and a line about it to the index.

        Args:
            text: the Faust program.
            **about: further fields of the line, as ``json.dumps`` takes them.

        Raises:
            OSError: the file can't be written.
        """
        digest = fingerprint(text)
        self._outcome.programs.append(digest)
        name = f"{len(self._outcome.programs):06}.dsp"
        (self._folder / name).write_bytes(text.encode())
        self._line({**about, "file": name, "program": digest})

    def verdict(self, verdict: Verdict, **about: Any) -> None:
        """Write a line about a verdict to the index.

        Args:
            verdict: what was decided; its figures are rounded to four significant digits, on which
                every machine agrees, and left out where they are None or 0.
            **about: further fields of the line, as ``json.dumps`` takes them.

        Raises:
            OSError: the index can't be written.
        """
        self._outcome.verdicts += 1
        figures = {
            name: value if value is None else float(f"{value:.4g}")
            for name in ("peak_db", "margin_db", "rt60_seconds", "compile_seconds")
            for value in [getattr(verdict, name)]
        }
        told = {"reason": str(verdict.reason), "detail": verdict.detail}
        warnings = {"warnings": list(verdict.warnings)} if verdict.warnings else {}
        self._line({**about, **told, **warnings, **{k: v for k, v in figures.items() if v}})

    def _line(self, line: Mapping[str, Any]) -> None:
        self._index.write(json.dumps(line, ensure_ascii=False) + "\n")
