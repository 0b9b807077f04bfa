"""Trainings that a test writes as a script, in a process of their own that has to end well."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from bridges import Plugin

TOOLS = Path(__file__).parents[2] / "tools"
DEADLINE = 60.0

PREAMBLE = """
import os, signal, sys, threading, time
sys.path.insert(0, {tools!r})
from faustwire import HotReload
from faustwire_publisher import ForkError
from models import Knob
live = HotReload(
    48000, dsp_path={dsp!r}, config_path={config!r}, min_interval=0, timeout=10.0, wait={wait}
)
knob = Knob()
"""


def trained(plugin: Plugin, script: str, *, wait: bool = True) -> str:
    """What a training prints that must end by itself, and well."""
    preamble = PREAMBLE.format(
        tools=str(TOOLS), dsp=str(plugin.dsp_path), config=str(plugin.config_path), wait=wait
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", preamble + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
