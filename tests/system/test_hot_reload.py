"""HotReload with real FLAMO models, real sockets and real bridges."""

from __future__ import annotations

import gc
import inspect
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from bridges import DEADLINE, Plugin, alive, eventually, served
from faustwire.messages import Reason
from faustwire_publisher import ForkError, HotReload, ModelError
from flamo_trainer import flamo_trainer
from models import Knob, fdn
from recorded_warnings import recorded_warnings


def test_one_line_is_enough(plugin: Plugin) -> None:
    """HotReload(fs) starts a bridge of its own and the first update is heard."""
    with HotReload(48000, **plugin.paths) as live:
        assert live.update(fdn())
        assert live.last.reason is Reason.PUBLISHED
    assert "process" in plugin.program()
    assert plugin.config_path.read_text().splitlines()[0] == str(plugin.dsp_path.resolve())
    assert sorted(path.name for path in plugin.folder.iterdir()) == ["current-dsp.txt", "live.dsp"]


def test_the_signature_is_adacs_with_optional_keywords_added() -> None:
    import adac

    def parameters(function: object) -> dict[str, tuple[object, object]]:
        signature = inspect.signature(function)  # type: ignore[arg-type]
        return {name: (p.kind, p.default) for name, p in signature.parameters.items()}

    for name in ("__init__", "update", "publish"):
        theirs = parameters(getattr(adac.HotReload, name))
        ours = parameters(getattr(HotReload, name))
        assert theirs.items() <= ours.items(), name
        for added in ours.keys() - theirs.keys():
            assert ours[added][0] is inspect.Parameter.KEYWORD_ONLY, f"{name}({added})"


def test_an_endpoint_means_a_running_bridge_and_its_paths(plugin: Plugin, tmp_path: Path) -> None:
    knob, elsewhere = Knob(), tmp_path / "not-mine.dsp"
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, dsp_path=elsewhere) as live,
    ):
        assert live.update(knob.model)
    assert plugin.dsp_path.exists()
    assert not elsewhere.exists()


def test_the_environment_can_name_the_endpoint(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(plugin) as bridge:
        monkeypatch.setenv("FAUSTWIRE_ENDPOINT", bridge.endpoint)
        with HotReload(48000) as live:
            assert live.endpoint == bridge.endpoint
            assert live.update(Knob().model)


def test_workers_of_one_dsp_share_one_bridge_whatever_path_names_it(plugin: Plugin) -> None:
    link = plugin.folder.parent / "link"
    link.symlink_to(plugin.folder)
    knob = Knob()
    with HotReload(48000, **plugin.paths, min_interval=0) as anna:
        assert anna.update(knob.model)
        pid = plugin.bridge_pid()
        other: dict[str, Any] = {
            "dsp_path": str(link / "live.dsp"),
            "config_path": str(plugin.config_path),
        }
        with HotReload(48000, **other, min_interval=0) as bert:
            assert not bert.update(knob.model), "the plugin has this program already"
            assert bert.last.reason is Reason.UNCHANGED
            knob.step()
            assert bert.update(knob.model)
        assert plugin.bridge_pid() == pid


def test_a_worker_joins_a_bridge_that_a_person_started_for_its_dsp(plugin: Plugin) -> None:
    with served(plugin) as bridge, HotReload(48000, **plugin.paths) as live:
        assert live.update(Knob().model)
        assert plugin.bridge_pid() == bridge.process.pid


def test_the_bridge_goes_when_its_last_worker_has_gone_and_leaves_nothing(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths) as live:
        live.update(Knob().model)
        pid = plugin.bridge_pid()
        assert pid is not None
    eventually(lambda: not alive(pid), "the bridge ends")
    place = plugin.place
    assert not any(p.exists() for p in (place.lock_path, place.socket_path, place.log_path))
    assert plugin.dsp_path.exists()


TRAINING = """
import sys, time
sys.path.insert(0, {tools!r})
from models import Knob
from faustwire_publisher import HotReload
knob = Knob()
live = HotReload(48000, dsp_path={dsp!r}, config_path={config!r}, min_interval=0)
assert live.update(knob.model), live.last
print("published", flush=True)
{then}
"""


def training(plugin: Plugin, then: str) -> subprocess.Popen[str]:
    """A training process that has published once, and then does as told."""
    script = TRAINING.format(
        tools=str(Path(__file__).parents[2] / "tools"),
        dsp=str(plugin.dsp_path),
        config=str(plugin.config_path),
        then=textwrap.dedent(then),
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "published\n", process.communicate()[1]
    return process


@pytest.mark.slow
def test_the_bridge_goes_too_when_the_training_was_killed(plugin: Plugin) -> None:
    process = training(plugin, "time.sleep(60)")
    pid = plugin.bridge_pid()
    assert pid is not None
    process.kill()
    process.communicate()
    eventually(lambda: not alive(pid), "the bridge notices")


@pytest.mark.slow
def test_what_was_handed_over_last_is_published_when_the_script_just_ends(plugin: Plugin) -> None:
    """No close, no context manager, wait=False: the last state still gets through."""
    process = training(
        plugin,
        f"""
        free = HotReload(48000, dsp_path={str(plugin.dsp_path)!r}, wait=False, min_interval=0)
        for _ in range(50):
            knob.step()
            free.update(knob.model)
        """,
    )
    _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    assert "7.25" in plugin.program(), "1 + 50 · 0.125"


def test_without_waiting_true_means_handed_over_and_last_tells_the_end(plugin: Plugin) -> None:
    knob = Knob()
    with HotReload(48000, **plugin.paths, wait=False, min_interval=0) as live:
        reasons = []
        for _ in range(2):
            assert live.update(knob.model)
            assert live.flush()
            reasons.append(live.last.reason)
        assert reasons == [Reason.PUBLISHED, Reason.UNCHANGED]


def test_what_was_handed_over_is_the_model_of_that_moment(plugin: Plugin) -> None:
    """The parameters are copied at the call; what the next step writes is not heard."""
    knob = Knob()
    with HotReload(48000, **plugin.paths, wait=False, min_interval=0) as live:
        live.update(knob.model)
        assert live.flush()
        live.update(knob.model)  # takes note of the first publish
        for value in range(50):
            knob.set(value + 0.5)
            live.update(knob.model)
            knob.set(-1.0)
            assert live.flush()
            assert f"{value}.5" in plugin.program()


def test_without_waiting_parameters_that_go_bad_are_told_later(plugin: Plugin) -> None:
    knob = Knob()
    with HotReload(48000, **plugin.paths, wait=False, min_interval=0) as live:
        live.update(knob.model)
        live.flush()
        live.update(knob.model)
        with recorded_warnings() as told:
            knob.set(float("nan"))
            for _ in range(3):
                assert live.update(knob.model)
                live.flush()
            assert str(live.last.reason) == "non-finite"
        assert len(told) == 1
        knob.set(0.75)
        live.update(knob.model)
        live.flush()
        assert live.last.reason is Reason.PUBLISHED
    assert "0.75" in plugin.program()


def test_without_waiting_the_newest_snapshot_wins(plugin: Plugin) -> None:
    knob = Knob()
    with HotReload(48000, **plugin.paths, wait=False, min_interval=0) as live:
        for _ in range(200):
            knob.step()
            live.update(knob.model)
        assert live.flush()
        assert live.last.published, live.last
    assert "26.0" in plugin.program(), "1 + 200 · 0.125"


def test_calls_that_the_bridge_would_turn_down_are_not_sent_and_end_the_same(
    plugin: Plugin,
) -> None:
    """A worker that skips and one that sends every call get the same answers."""
    knob = Knob()
    with (
        served(plugin, "--log-level", "debug") as bridge,
        HotReload(48000, endpoint=bridge.endpoint, every=5, min_interval=0, worker="anna") as live,
    ):
        results = []
        for _ in range(21):
            knob.step()
            results.append(live.update(knob.model))
        assert results == ([True] + [False] * 4) * 4 + [True]
        assert live.last.reason is Reason.PUBLISHED
        assert bridge.log().count("published") == 5
        assert " every " not in bridge.log(), "the calls between never left the worker"


def test_min_interval_is_counted_by_the_bridge_and_spares_the_work(plugin: Plugin) -> None:
    knob = Knob()
    with HotReload(48000, **plugin.paths, min_interval=0.4) as live:
        assert live.update(knob.model)
        published, start = [], time.monotonic()
        values = itertools.cycle([0.25, 0.5, 0.75])
        while time.monotonic() - start < 1.5:
            knob.set(next(values))
            if live.update(knob.model):
                published.append(time.monotonic())
    assert 2 <= len(published) <= 3
    assert all(b - a >= 0.4 - 0.05 for a, b in itertools.pairwise(published))


def test_follow_updates_after_every_step_and_once_forced_at_the_end(plugin: Plugin) -> None:
    knob = Knob()
    optimizer = torch.optim.SGD(knob.model.parameters(), lr=0.5)
    with HotReload(48000, **plugin.paths, every=1, min_interval=3600) as live:
        with live.follow(knob.model, optimizer):
            for _ in range(5):
                knob.model.param.sum().backward()
                optimizer.step()
                optimizer.zero_grad()
        assert live.last.reason is Reason.PUBLISHED, "the last state, forced"
        published = live._calls
        knob.model.param.sum().backward()
        optimizer.step()
        assert live._calls == published, "the hook is gone"
    assert published == 6
    assert "-1.5" in plugin.program(), "1 − 5 · 0.5"


def test_follow_hands_over_the_last_state_of_a_training_that_fails(plugin: Plugin) -> None:
    knob = Knob()
    optimizer = torch.optim.SGD(knob.model.parameters(), lr=0.5)
    with HotReload(48000, **plugin.paths, min_interval=3600) as live:

        def fails() -> None:
            with live.follow(knob.model, optimizer):
                knob.set(0.625)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fails()
        assert "0.625" in plugin.program()


def test_a_hot_reload_that_nobody_holds_leaves_its_bridge(plugin: Plugin) -> None:
    live = HotReload(48000, **plugin.paths)
    live.update(Knob().model)
    pid = plugin.bridge_pid()
    assert pid is not None
    del live
    gc.collect()
    eventually(lambda: not alive(pid), "nobody is left")


def test_follow_serves_flamos_own_trainer(plugin: Plugin) -> None:
    model = fdn(2, nfft=512)
    trainer, train, valid = flamo_trainer(model, {torch.nn.MSELoss(): 1})
    with (
        HotReload(48000, **plugin.paths, min_interval=0) as live,
        live.follow(model, trainer.optimizer),
    ):
        trainer.train(train, valid)
        assert live._calls >= 2
        assert live.last.published


def test_publish_takes_text_and_the_dedupe_applies(plugin: Plugin) -> None:
    with HotReload(48000, **plugin.paths) as live:
        assert live.publish("process = _,_;")
        assert plugin.program() == "process = _,_;"
        assert not live.publish("process = _,_;")
        assert live.last.reason is Reason.UNCHANGED
        with pytest.raises(TypeError, match="Faust text"):
            live.publish(b"process = _;")  # type: ignore[arg-type]


def test_a_model_that_cannot_be_expressed_raises_on_the_first_call(plugin: Plugin) -> None:
    with (
        HotReload(48000, **plugin.paths) as live,
        pytest.raises(ModelError, match="Linear"),
    ):
        live.update(torch.nn.Linear(2, 2))


def test_after_the_first_good_publish_a_bad_model_warns_and_training_goes_on(
    plugin: Plugin,
) -> None:
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        assert live.update(Knob().model)
        good = plugin.program()
        with recorded_warnings() as told:
            assert not live.update(torch.nn.Linear(2, 2))
            assert not live.update(torch.nn.Linear(2, 2))
        assert len(told) == 1
        assert "refused" in told[0]
        assert plugin.program() == good


def test_a_forked_worker_is_told_what_to_do(plugin: Plugin) -> None:
    """As a DataLoader does it; the parent goes on undisturbed."""
    knob = Knob()
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        assert live.update(knob.model)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                live.update(knob.model)
            except ForkError as error:
                os.write(writer, str(error).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            told = pipe.read()
        os.waitpid(child, 0)
        assert "DataLoader" in told
        assert f"process {os.getpid()}" in told
        knob.step()
        assert live.update(knob.model)


def test_close_may_come_twice_and_update_after_it_comes_back(plugin: Plugin) -> None:
    knob = Knob()
    live = HotReload(48000, **plugin.paths, min_interval=0)
    assert live.update(knob.model)
    live.close()
    live.close()
    knob.step()
    assert live.update(knob.model)
    live.close()


def test_before_the_first_call_there_is_no_verdict_and_no_bridge(plugin: Plugin) -> None:
    live = HotReload(48000, **plugin.paths)
    with pytest.raises(RuntimeError, match="no verdict"):
        _ = live.last
    live.close()
    assert plugin.bridge_pid() is None


@pytest.mark.slow
def test_ctrl_c_in_the_trainings_terminal_spares_the_bridge(plugin: Plugin) -> None:
    process = training(
        plugin,
        """
        try:
            print("goes on", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            knob.step()
            print(live.update(knob.model), flush=True)
        """,
    )
    pid = plugin.bridge_pid()
    assert pid is not None
    assert os.getpgid(pid) != os.getpgid(process.pid)
    assert process.stdout is not None
    assert process.stdout.readline() == "goes on\n"
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=DEADLINE)
    assert told == "True\n", errors
