"""What all snapshots of one HotReload have in common: rate, name and macro controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from faustwire.controls import Slider
from faustwire.graph import Node
from faustwire.messages import Snapshot


@dataclass(frozen=True)
class ProgramSettings:
    """How a model becomes a program.

    Attributes:
        fs: sampling rate, Hz.
        name: of the program.
        controls: macro controls by name.
    """

    fs: float
    name: str
    controls: Mapping[str, Slider]

    def snapshot(
        self, graph: Callable[[], Node], seq: int, call: int, metrics: Mapping[str, float]
    ) -> Callable[[], Snapshot]:
        """A function that makes a snapshot when it is sent; it holds no reference to the worker.

        Args:
            graph: makes the model's graph.
            seq: number of the message.
            call: number of the call of ``update``.
            metrics: losses and the like, by name.
        """
        fields: dict[str, Any] = {"seq": seq, "call": call, "metrics": metrics}
        return partial(
            _snapshot, graph, fs=self.fs, name=self.name, controls=self.controls, **fields
        )


def _snapshot(graph: Callable[[], Node], **fields: Any) -> Snapshot:
    return Snapshot(graph=graph(), **fields)
