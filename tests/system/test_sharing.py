"""Several workers, one plugin: real bridges, real sockets, real workers."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bridges import Plugin, eventually, served
from faustwire.codec import decode
from faustwire.messages import Event, Reason
from faustwire.recording import Recording
from faustwire_publisher import ArgumentError, HotReload
from models import Knob
from recorded_warnings import recorded_warnings


def plays(plugin: Plugin, value: float) -> bool:
    return str(value) in plugin.program()


def test_with_settle_the_plugin_ends_on_the_newest_state(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths, min_interval=0.5, settle=True) as live:
        knob = Knob()
        assert live.update(knob.model)
        for value in (0.75, 0.625):
            knob.set(value)
            assert not live.update(knob.model)
            assert live.last.reason is Reason.MIN_INTERVAL
        eventually(lambda: plays(plugin, 0.625), "what came last is written")


def test_with_settle_a_script_may_end_before_the_time_has_come(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths, min_interval=0.5, settle=True) as live:
        knob = Knob()
        live.update(knob.model)
        knob.set(0.625)
        assert not live.update(knob.model)
    eventually(lambda: plays(plugin, 0.625), "the bridge stays until then")
    eventually(lambda: plugin.bridge_pid() is None, "and no longer")


def test_what_settles_is_written_though_somebody_else_wrote_the_file_meanwhile(
    plugin: Plugin,
) -> None:
    """Nothing arrives between the two, and the model is the one that was published last."""
    with HotReload(48000, **plugin.paths, min_interval=1.0, settle=True) as live:
        knob = Knob()
        knob.set(0.625)
        assert live.update(knob.model)
        assert not live.update(knob.model)
    plugin.dsp_path.write_text("process = 0,0;\n")
    eventually(lambda: plays(plugin, 0.625), "its time has come")


def test_the_best_worker_is_heard_and_the_others_are_told_why(plugin: Plugin) -> None:
    with ExitStack() as stack:
        bridge = stack.enter_context(served(plugin, "--follow", "best", "loss"))
        options: dict[str, Any] = {"endpoint": bridge.endpoint, "min_interval": 0}
        anna, bert = (
            stack.enter_context(HotReload(48000, worker=name, **options))
            for name in ("anna", "bert")
        )
        knob = Knob()
        assert anna.update(knob.model, metrics={"loss": 0.5})
        knob.step()
        assert not bert.update(knob.model, metrics={"loss": 0.75})
        assert bert.last.reason is Reason.NOT_FOLLOWED
        assert "anna" in bert.last.detail
        assert bert.update(knob.model, metrics={"loss": 0.25})


def test_an_embedded_bridge_records_where_it_is_told_to(plugin: Plugin, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with HotReload(48000, **plugin.paths, every=5, min_interval=0, record=folder) as live:
        knob = Knob()
        for _ in range(10):
            live.update(knob.model)
            knob.step()
    eventually(lambda: plugin.bridge_pid() is None, "the bridge has gone, the file is whole")
    recording = Recording([folder])
    items = list(recording)
    assert not recording.damage
    kinds = Counter(type(decode(item.data)).__name__ for item in items if item.topic == "in")
    assert kinds["Snapshot"] == 10, "those that are turned down are sent, too"
    events = [decode(item.data) for item in items if item.topic == "event"]
    published = [event for event in events if isinstance(event, Event) and event.program]
    assert [event.call for event in published] == [1, 6]


def test_a_bridge_that_was_there_before_and_does_not_record_is_told(
    plugin: Plugin, tmp_path: Path
) -> None:
    with HotReload(48000, **plugin.paths, min_interval=0) as first:
        first.update(Knob().model)
        with (
            HotReload(48000, **plugin.paths, min_interval=0, record=tmp_path / "r") as second,
            recorded_warnings() as told,
        ):
            for _ in range(3):
                second.update(Knob().model)
    assert len(told) == 1
    assert "records nothing" in told[0]
    assert not (tmp_path / "r").exists()


def test_with_an_endpoint_the_bridge_decides_what_it_records() -> None:
    with pytest.raises(ArgumentError, match="faustwire serve --record"):
        HotReload(48000, endpoint="tcp://127.0.0.1:1", record="here")
