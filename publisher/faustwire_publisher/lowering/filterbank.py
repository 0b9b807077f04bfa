"""``flamo.auxiliary.filterbank``, by name: importing it loads torchaudio."""

from __future__ import annotations

from typing import Any

import numpy as np

from faustwire import graph
from faustwire_publisher.lowering.registry import lowers
from faustwire_publisher.lowering.sections import sos
from faustwire_publisher.lowering.tensors import values

_IDENTITY = np.array([1.0, 0, 0, 1, 0, 0])


@lowers("flamo.auxiliary.filterbank.FilterBank")
def filter_bank(bank: Any, name: str) -> graph.SOS:
    """Butterworth bands, one output each; the outer bands may have fewer sections.

    Args:
        bank: the module; it holds the coefficients of each band, [sections, 6].
        name: its key in the module that holds it.

    Returns:
        [sections, 6, bands, 1], a0 = 1: the lacking sections of a band pass the signal on.

    Raises:
        RefusalError: a section is unstable.
    """
    bands = [values(sections) for sections in bank._sos]  # noqa: SLF001
    sections = np.tile(_IDENTITY[:, None], (max(map(len, bands)), 1, len(bands)))
    for band, filled in enumerate(bands):
        sections[: len(filled), :, band] = filled
    return sos(name, sections[..., None])
