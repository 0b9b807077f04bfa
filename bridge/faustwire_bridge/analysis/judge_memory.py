"""What is kept of the snapshots that were judged last: the next one is much like them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from faustwire.snapshot_reader import SnapshotReader
from faustwire_bridge.analysis.change import WrittenModel
from faustwire_bridge.analysis.level_bounds import LevelEstimator
from faustwire_bridge.codegen import WrittenLeaves

# What plays, and what was judged last.
_KEPT = 2


class WrittenModels:
    """The models compared last, so that the response of what plays is computed once."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, WrittenModel] = OrderedDict()

    def known(self, data: bytes) -> WrittenModel | None:
        """The model of a snapshot; None: it is not known."""
        return self._known.get(data)

    def get(self, data: bytes, make: Callable[[], WrittenModel]) -> WrittenModel:
        """Find the model of a snapshot.

        Args:
            data: the snapshot's bytes.
            make: makes the model, where it is not known.

        Returns:
            The model.
        """
        model = self._known.get(data) or make()
        self._known[data] = model
        self._known.move_to_end(data)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return model


@dataclass
class Memory:
    """What was computed for the last snapshots: the next one is much like them.

    Attributes:
        levels: knows their levels.
        models: knows the models that were compared.
        written: knows what their leaves were written as.
        reader: decodes them.
    """

    levels: LevelEstimator = field(default_factory=LevelEstimator)
    models: WrittenModels = field(default_factory=WrittenModels)
    written: WrittenLeaves = field(default_factory=WrittenLeaves)
    reader: SnapshotReader = field(default_factory=SnapshotReader)
