"""The commands of the program ``faustwire``, a module each.

A module has ``add(commands)``, which adds its parser and sets ``run``: a function of the parsed
options that returns the exit code.
"""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - no public name
