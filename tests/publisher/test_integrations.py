"""Lightning and FLAMO's Trainer, for real: what is published, when, by whom, with which metrics."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from bridges import Plugin
from faustwire import HotReload
from faustwire.messages import Reason
from faustwire_publisher import ArgumentError
from flamo_trainer import flamo_trainer
from models import Knob, fdn

pytestmark = [
    pytest.mark.skipif(find_spec("lightning") is None, reason="needs: pip install lightning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

ROOT = Path(__file__).parents[2]


class Sent:
    """The messages that a HotReload hands over."""

    def __init__(self, live: HotReload) -> None:
        self.metrics: list[dict[str, float]] = []
        hand_over = live._session.hand_over

        def watched(ticket: Any) -> bool:
            self.metrics.append(dict(ticket.make().metrics))
            return hand_over(ticket)

        live._session.hand_over = watched  # type: ignore[method-assign]


def learning() -> Any:
    """A LightningModule with a knob that goes down by a half each step."""
    from lightning.pytorch import LightningModule

    class Learning(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.ModuleDict({"fdn": Knob().model})

        def training_step(self, *_: object) -> torch.Tensor:
            loss: torch.Tensor = self.get_parameter("net.fdn.param").sum()
            self.log("loss", loss)
            return loss

        def validation_step(self, *_: object) -> None:
            self.log("val_loss", torch.tensor(3.0))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.5)

    return Learning()


def fit(model: Any, callback: Any, folder: Path, **arguments: Any) -> Any:
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint

    data = torch.utils.data.TensorDataset(torch.zeros(6, 1))
    batches: Any = torch.utils.data.DataLoader(data, batch_size=1)
    trainer = Trainer(
        max_epochs=1,
        callbacks=[callback, ModelCheckpoint(folder / "checkpoints")],
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"logger": False, **arguments},
    )
    trainer.fit(model, batches, batches)
    return trainer


def test_each_step_of_a_lightning_training_is_heard_with_what_it_logs(
    plugin: Plugin, tmp_path: Path
) -> None:
    """With the sanity check before it and the checkpoints in it, as in ordinary trainings."""
    from faustwire.lightning import HotReloadCallback

    model = learning()
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        sent = Sent(live)
        callback = HotReloadCallback(live, module="net.fdn")
        trainer = fit(model, callback, tmp_path, accumulate_grad_batches=2)
        assert trainer.global_step == 3
        assert live._calls == 4, "three steps of two batches, and the end"
        assert [metrics["loss"] for metrics in sent.metrics[:3]] == [2.0, 1.0, 0.0]
        assert "val_loss" in sent.metrics[-1]
    assert "-0.5" in plugin.program(), "1 − 3 · 0.5"
    assert list((tmp_path / "checkpoints").glob("*.ckpt"))


def test_the_loggers_that_take_sounds_get_how_it_sounds(plugin: Plugin, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from faustwire.lightning import HotReloadCallback

    board = TensorBoardLogger(tmp_path, name="board")
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        callback = HotReloadCallback(live, module="net.fdn", sounds=3600)
        fit(learning(), callback, tmp_path, logger=[CSVLogger(tmp_path), board])
    board.experiment.close()
    events: Any = EventAccumulator(board.log_dir)
    events.Reload()
    steps = [sound.step for sound in events.Audio("impulse response/left")]
    assert steps[0] == 1, steps


@pytest.mark.parametrize("zero", [True, False])
def test_only_rank_zero_publishes(plugin: Plugin, zero: bool) -> None:
    from lightning.pytorch import Trainer

    from faustwire.lightning import HotReloadCallback

    class Ranked(Trainer):
        is_global_zero = zero

    with HotReload(48000, **plugin.paths) as live:
        trainer = Ranked(accelerator="cpu", logger=False, enable_checkpointing=False)
        HotReloadCallback(live, module="net.fdn").on_train_end(trainer, learning())
        assert live._calls == zero


def test_a_module_that_is_not_there_is_told_before_the_first_batch(
    plugin: Plugin, tmp_path: Path
) -> None:
    from faustwire.lightning import HotReloadCallback

    with (
        HotReload(48000, **plugin.paths) as live,
        pytest.raises(
            ArgumentError, match=r"module='fdn': Learning has no such module; it has net"
        ),
    ):
        fit(learning(), HotReloadCallback(live, module="fdn"), tmp_path)


def test_without_lightning_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "faustwire_publisher.integrations.lightning", raising=False)
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    ours = importlib.import_module("faustwire.lightning")
    with pytest.raises(ModuleNotFoundError, match="pip install lightning"):
        _ = ours.HotReloadCallback


def example(plugin: Plugin, name: str, *arguments: str) -> str:
    """Run an example as its docstring says; what it prints."""
    path = os.pathsep.join([str(ROOT / "examples"), os.environ.get("PYTHONPATH", "")])
    paths = ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", name, *paths, *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        cwd=plugin.folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def example_here(
    plugin: Plugin, name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> None:
    """Run an example's main in this process, which has imported what takes seconds already."""
    paths = ["--dsp-path", str(plugin.dsp_path), "--config-path", str(plugin.config_path)]
    monkeypatch.setattr(sys, "argv", [name, *paths, *arguments])
    importlib.import_module(name).main()


def test_the_lightning_example(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example_here(plugin, "lightning_training", monkeypatch, "--steps", "3")
    assert re.search(r"loss \d+\.\d+, (published|unchanged)", capsys.readouterr().out)
    assert "process" in plugin.program()


def test_the_example_with_flamos_trainer(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example_here(plugin, "flamo_training", monkeypatch, "--epochs", "1")
    told = capsys.readouterr().out
    assert re.search(r"loss \d\.\d+e-\d+, (published|unchanged)", told), told
    assert "process" in plugin.program()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("lightning_training", ["--steps", "5"]), ("flamo_training", ["--epochs", "2"])],
)
def test_an_example_run_as_its_docstring_says(
    plugin: Plugin, name: str, arguments: list[str]
) -> None:
    told = example(plugin, name, *arguments)
    assert re.search(r"loss \d.*, (published|unchanged)", told), told
    assert "process" in plugin.program()


def test_flamos_losses_go_along(plugin: Plugin) -> None:
    from faustwire_publisher.integrations.flamo import trainer_losses

    model = fdn(2, nfft=512)
    trainer, train, valid = flamo_trainer(model, {torch.nn.MSELoss(): 1, torch.nn.L1Loss(): 0.5})
    losses = trainer_losses(trainer)
    assert losses() == {}
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        sent = Sent(live)
        with live.follow(model, metrics=losses):
            trainer.train(train, valid)
        assert live.last.reason in (Reason.PUBLISHED, Reason.UNCHANGED)
    first, last = sent.metrics[0], sent.metrics[-1]
    assert first.keys() == {"MSELoss", "L1Loss", "loss"}
    assert first["loss"] == first["MSELoss"] + 0.5 * first["L1Loss"]
    assert last["valid_loss"] == trainer.valid_loss[-1]


class Loop:
    """A training that offers no callback."""

    def __init__(self, model: torch.nn.Module, batch: torch.Tensor) -> None:
        self.model, self.batch, self.loss = model, batch, 0.0

    def train(self) -> None:
        optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        loss = self.model(self.batch).square().mean()
        loss.backward()
        optimizer.step()
        self.loss = loss.item()


def test_the_training_pages_python_runs(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block, with what its text speaks of; only the plugin's files lie elsewhere."""
    import lightning.pytorch
    from flamo.optimize.dataset import Dataset, load_dataset
    from flamo.optimize.trainer import Trainer

    import faustwire
    from models import fdn

    impulse = torch.eye(1, 512).reshape(1, 512, 1)
    model = fdn(2, nfft=512)
    data = Dataset(input=impulse, target=impulse, expand=4, device="cpu")
    train_set, valid_set = load_dataset(data, batch_size=2, split=0.5)
    learner = learning()
    learner.fdn = learner.net["fdn"]
    quiet: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    monkeypatch.setattr(lightning.pytorch, "Trainer", partial(lightning.pytorch.Trainer, **quiet))
    ours = partial(HotReload, **plugin.paths, min_interval=0)
    monkeypatch.setattr(faustwire, "HotReload", ours, raising=False)
    page = (ROOT / "docs" / "training.md").read_text()
    with ours(fs=48000) as live:
        names: dict[str, Any] = {
            "live": live,
            "torch": torch,
            "model": model,
            "trainer": Loop(model, impulse),
            "train_set": train_set,
            "valid_set": valid_set,
            "learning": learner,
            "Trainer": partial(Trainer, log=False),
            "batches": [impulse] * 3,
            "writer": mock.Mock(spec=["add_audio"]),
            "step": 1,
        }
        for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
            calls = live._calls
            with torch.no_grad():  # as a step of a training would
                for parameter in model.parameters():
                    parameter.mul_(0.9)
            exec(block.replace("max_epochs=10", "max_epochs=1"), names)  # noqa: S102
            heard = names["live"]
            assert heard._calls > (calls if heard is live else 0)
            assert heard.last.reason in (Reason.PUBLISHED, Reason.UNCHANGED), heard.last
        assert names["writer"].add_audio.called
