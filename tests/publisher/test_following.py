"""``follow`` hears of every optimiser that trains the model, compiled trainings included."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bridges import Plugin
from faustwire import HotReload
from faustwire.messages import Reason
from models import Knob
from recorded_warnings import recorded_warnings


def step(knob: Knob, optimizer: torch.optim.Optimizer) -> None:
    """One step down by the learning rate."""
    optimizer.zero_grad()
    knob.model.param.sum().backward()
    optimizer.step()


def test_without_an_optimiser_those_that_train_the_model_are_followed(plugin: Plugin) -> None:
    """Also one that is made later, as trainers do; those of other models are not."""
    knob, other = Knob(), Knob()
    foreign = torch.optim.SGD(other.model.parameters(), lr=0.5)
    with HotReload(48000, **plugin.paths, min_interval=3600) as live:
        with live.follow(knob.model):
            optimizer = torch.optim.SGD(knob.model.parameters(), lr=0.5)
            for _ in range(5):
                step(knob, optimizer)
                step(other, foreign)
            assert live._calls == 5
        assert live.last.reason is Reason.PUBLISHED, "the last state, forced"
        step(knob, optimizer)
        assert live._calls == 6, "the hook is gone"
    assert "-1.5" in plugin.program(), "1 − 5 · 0.5"


def test_an_optimiser_of_more_than_the_model_counts(plugin: Plugin) -> None:
    knob, head = Knob(), torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD([*head.parameters(), *knob.model.parameters()], lr=0.5)
    with HotReload(48000, **plugin.paths) as live, live.follow(knob.model):
        step(knob, optimizer)
        assert live._calls == 1


def test_metrics_are_read_anew_for_each_call_that_is_sent(plugin: Plugin) -> None:
    knob, asked, losses = Knob(), [], {"loss": 0.0}
    optimizer = torch.optim.SGD(knob.model.parameters(), lr=0.125)

    def metrics() -> dict[str, float]:
        asked.append(live._calls)
        return {"loss": live._calls / 10}

    with HotReload(48000, **plugin.paths, every=3, min_interval=0) as live:
        with live.follow(knob.model, metrics=metrics):
            for _ in range(6):
                step(knob, optimizer)
        assert asked == [1, 4, 7], "those that are sent, and the last"
        sent: list[Any] = []
        hand_over = live._session.hand_over

        def watched(ticket: Any) -> bool:
            sent.append(ticket.make().metrics)
            return hand_over(ticket)

        live._session.hand_over = watched  # type: ignore[method-assign]
        with live.follow(knob.model, optimizer, metrics=losses):
            losses["loss"] = 0.5
        assert sent == [{"loss": 0.5}]


def test_metrics_that_fail_do_not_end_a_training(plugin: Plugin) -> None:
    knob = Knob()
    optimizer = torch.optim.SGD(knob.model.parameters(), lr=0.125)
    with HotReload(48000, **plugin.paths, min_interval=0) as live, recorded_warnings() as told:
        assert live.update(knob.model)
        with live.follow(knob.model, metrics=lambda: {"loss": undefined}):  # type: ignore[name-defined]  # noqa: F821
            for _ in range(3):
                step(knob, optimizer)
        assert "0.625" in plugin.program(), "1 − 3 · 0.125"
    assert len(told) == 1
    assert "raised NameError" in told[0]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("followed", [True, False])
def test_a_compiled_training_step_is_heard(plugin: Plugin, backend: str, followed: bool) -> None:
    """A step that calls ``update``, and one whose optimiser is followed."""
    torch._dynamo.reset()
    knob = Knob()
    optimizer = torch.optim.SGD(knob.model.parameters(), lr=0.5)
    with HotReload(48000, **plugin.paths, min_interval=0) as live:

        def train() -> None:
            optimizer.zero_grad()
            knob.model.param.sum().backward()
            optimizer.step()
            if not followed:
                live.update(knob.model)

        compiled = torch.compile(train, backend=backend)
        if followed:
            with live.follow(knob.model):
                for _ in range(3):
                    compiled()
        else:
            for _ in range(3):
                compiled()
        assert live._calls == 3 + followed
        assert "-0.5" in plugin.program(), "1 − 3 · 0.5"
    torch._dynamo.reset()


def test_a_compiled_optimiser_step_is_heard(plugin: Plugin) -> None:
    torch._dynamo.reset()
    knob = Knob()
    optimizer = torch.optim.SGD(knob.model.parameters(), lr=0.5)
    with HotReload(48000, **plugin.paths, min_interval=0) as live:
        compiled = torch.compile(optimizer.step, backend="eager")
        with live.follow(knob.model, optimizer):
            for _ in range(3):
                optimizer.zero_grad()
                knob.model.param.sum().backward()
                compiled()
            assert live._calls == 3
        assert "-0.5" in plugin.program()
    torch._dynamo.reset()
