"""FLAMO module → ``faustwire.graph``: the values that the module applies at this moment.

``lower`` turns a model into a graph. ``lowers`` makes a module type of your own publishable: the
decorated function, its *rule*, gets the module and its key, and returns a node of
``faustwire.graph``::

    from faustwire import graph
    from faustwire_publisher.lowering import lowers, values

    @lowers(MyGain)
    def my_gain(module: MyGain, name: str) -> graph.Node:
        return graph.Gain(name, values(module.map(module.param)))

A subclass has its base's rule if it overrides nothing of it; otherwise it may compute something
else, and is refused without a rule of its own; ``lowers(MyShell)(rule_of(Shell))`` states that it
computes the same. Rules run under ``torch.no_grad()`` within the training loop: they read the
module and change nothing. A rule raises ``RefusalError`` for a module that can't be played; the
rule of a container lowers its children with ``lower_child``.
"""

from __future__ import annotations

from faustwire_publisher.errors import ModelError, RefusalError
from faustwire_publisher.lowering import (
    containers,
    delays,
    designs,
    filterbank,
    filters,
    gains,
    reverb,
    sections,
    unreleased,
)
from faustwire_publisher.lowering.deferred import defer
from faustwire_publisher.lowering.entry import flamo_to_json, lower, lower_with_remarks
from faustwire_publisher.lowering.plan import Lowerings
from faustwire_publisher.lowering.registry import lower_child, lowers, rule_of
from faustwire_publisher.lowering.tensors import values

__all__ = [
    "Lowerings",
    "ModelError",
    "RefusalError",
    "defer",
    "flamo_to_json",
    "lower",
    "lower_child",
    "lower_with_remarks",
    "lowers",
    "rule_of",
    "values",
]

RULE_MODULES = (
    *(containers, delays, designs, filterbank, filters, gains, reverb, sections),
    unreleased,
)
"""Importing them fills the registry."""
