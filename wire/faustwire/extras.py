"""Packages that only an extra brings, and what to say where one is missing."""

from __future__ import annotations

_TRAINING = frozenset({"torch", "flamo"})


def explained(problem: ModuleNotFoundError, wanted: str) -> ModuleNotFoundError | None:
    """Say which extra brings a package that is missing.

    Args:
        problem: what an import raised.
        wanted: what was to be imported, with its package.

    Returns:
        An error for people; None: no extra brings the package.
    """
    package = (problem.name or "").partition(".")[0]
    if package not in _TRAINING:
        return None
    return ModuleNotFoundError(
        f"{wanted} needs {package}, which is not installed: pip install 'faustwire[train]'",
        name=problem.name,
    )
