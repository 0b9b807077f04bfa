"""The errors of the training side."""

from __future__ import annotations

from faustwire.errors import FaustwireError, GraphError


class ModelError(GraphError):
    """A model that can't be played: which module, why, and what to do.

    Attributes:
        path: where in the model, the keys of the modules joined by dots, from ``model``.
        problem: what is wrong there and what to do.
    """


class ArgumentError(FaustwireError, ValueError):
    """An argument of HotReload that makes no sense."""


class ForkError(FaustwireError, RuntimeError):
    """A HotReload was used in a process forked from the one that made it."""


class FaustwireWarning(UserWarning):
    """Something keeps the plugin from being updated; the training goes on."""


class RefusalError(FaustwireError, ValueError):
    """Raised by the rule of one module, which knows what is wrong but not where in the model."""
