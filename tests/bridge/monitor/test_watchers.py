"""Whether a plugin is there to hear of what is written."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faustwire_bridge.monitor.watchers import PluginWatch, watchers
from states import state

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who watches")


@contextmanager
def watching(folder: Path) -> Iterator[None]:
    observer = pytest.importorskip("watchdog.observers").Observer()
    observer.schedule(pytest.importorskip("watchdog.events").FileSystemEventHandler(), str(folder))
    observer.start()
    try:
        yield
    finally:
        observer.stop()
        observer.join()


def test_a_program_that_watches_the_folder_is_found_after_a_moment(tmp_path: Path) -> None:
    here = state(host=socket.gethostname(), dsp_path=str(tmp_path / "live.dsp"))
    plugin = PluginWatch()
    assert plugin.is_watched(here, now=0.0) is False
    with watching(tmp_path):
        assert plugin.is_watched(here, now=1.0) is False, "it looks only now and then"
        assert plugin.is_watched(here, now=2.0) is True
        assert watchers(tmp_path)
    assert plugin.is_watched(here, now=4.0) is False


def test_of_another_machine_nothing_is_known(tmp_path: Path) -> None:
    there = state(host="elsewhere", dsp_path=str(tmp_path / "live.dsp"))
    assert PluginWatch().is_watched(there, now=0.0) is None
    gone = state(host=socket.gethostname(), dsp_path=str(tmp_path / "no" / "live.dsp"))
    assert PluginWatch().is_watched(gone, now=0.0) is None
