"""What people pass to HotReload, checked when they pass it."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from faustwire.codec import MAX_METRICS
from faustwire.endpoint import EndpointError, to_connect
from faustwire.errors import shown
from faustwire.file_path import target_path
from faustwire.key_ring import KeyRing
from faustwire.limits import MAX_NAME
from faustwire.sampling_rate import rate_problem
from faustwire.worker_name import can_be_name
from faustwire_publisher.errors import ArgumentError

# Losses and the like by name, numbers or tensors of one element; or a function that returns them,
# which is called only for the calls that are sent.
Metrics: TypeAlias = Mapping[str, Any] | Callable[[], Mapping[str, Any] | None]

# What a message can hold; more calls than any training makes.
_MOST_CALLS = 2**63


def number(argument: str, value: Any, *, above: float | None = None) -> float:
    """Check a finite number of at least 0, or greater than ``above``.

    Args:
        argument: what to call it in the error.
        value: what was passed.
        above: what it must exceed; None: 0 is allowed.

    Raises:
        ArgumentError: it is not such a number.
    """
    wanted = "a number of at least 0" if above is None else f"a number above {above:g}"
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    low_enough = result >= 0 if above is None else result > above
    if isinstance(value, (bool, str)) or not math.isfinite(result) or not low_enough:
        raise ArgumentError(f"{argument}={shown(value)}: give {wanted}")
    return result


def sampling_rate(value: Any) -> float:
    """Check ``fs``: a sampling rate of audio, in Hz.

    Args:
        value: what was passed.

    Returns:
        The rate.

    Raises:
        ArgumentError: it is not a number, or not such a rate.
    """
    fs = number("fs", value, above=0)
    if problem := rate_problem(fs):
        raise ArgumentError(f"fs={value!r}: {problem}")
    return fs


def period(value: Any) -> int:
    """Check ``every``: a whole number of calls from 1.

    Raises:
        ArgumentError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < _MOST_CALLS:
        raise ArgumentError(f"every={shown(value)}: give a whole number from 1, 1 for every call")
    return value


def text(argument: str, value: Any) -> str:
    """Check text that is short enough for a name.

    Args:
        argument: what to call it in the error.
        value: what was passed.

    Raises:
        ArgumentError: it is not text, is empty, or too long.
    """
    if not isinstance(value, str) or not value or not can_be_name(value):
        raise ArgumentError(f"{argument}={value!r}: give text of 1 to {MAX_NAME} characters")
    return value


def remote_endpoint(value: Any) -> str:
    """Check a ZeroMQ endpoint to connect to.

    Raises:
        ArgumentError: it is not an endpoint.
    """
    try:
        return to_connect(str(value))
    except EndpointError as problem:
        raise ArgumentError(f"endpoint={problem}") from problem


def record_target(value: str | Path, endpoint: str | None) -> str:
    """Where the bridge that is started here is to record to, as an absolute path.

    Args:
        value: what was passed as ``record``.
        endpoint: of a running bridge, if one is used.

    Raises:
        ArgumentError: a running bridge is used, which decides for itself.
        PathError: the path is somebody else's.
    """
    if endpoint:
        raise ArgumentError(
            f"record={str(value)!r}: the bridge at {endpoint} decides what it records; start it "
            "with `faustwire serve --record DIR`"
        )
    return str(target_path(value, "recording", "record"))


def read_metrics(metrics: Metrics | None) -> tuple[dict[str, float], str | None]:
    """Metrics as plain numbers; a tensor of one element is a number.

    Args:
        metrics: numbers by name, or a function that returns them.

    Returns:
        Those that are numbers, and what is wrong with the others; None: nothing.
    """
    given: object = metrics
    if callable(metrics) and not isinstance(metrics, Mapping):
        try:
            given = metrics()
        except Exception as problem:  # noqa: BLE001 - the user's; told, or raised, by the caller
            return {}, f"metrics: the function raised {type(problem).__name__}: {problem}"
    if given is None:
        return {}, None
    if not isinstance(given, Mapping):
        return {}, f'metrics={_shown(given)}: give numbers by name, such as {{"loss": loss}}'
    numbers, wrong = {}, None
    if len(given) > MAX_METRICS:
        wrong = f"metrics: {len(given)} of them; at most {MAX_METRICS} can be sent"
    for name, value in islice(given.items(), MAX_METRICS):
        scalar = _scalar(value)
        if scalar is None:
            wrong = f"metrics: {str(name)!r} is {_shown(value)}: give a number, or a tensor of one"
        else:
            numbers[str(name)] = scalar
    return numbers, wrong


def _scalar(value: Any) -> float | None:
    try:
        # A loss may be passed as it is, with its autograd graph.
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def _shown(value: object) -> str:
    return reprlib.repr(value)


def knows(keyring: KeyRing, endpoint: str, keys: str | Path | None) -> bool:
    """Whether a bridge's key is known; where ``keys`` was passed, it must be.

    Args:
        keyring: this machine's keys.
        endpoint: of the bridge.
        keys: what was passed as ``keys``.

    Raises:
        ArgumentError: ``keys`` was passed, and the bridge's key is not known there.
        KeyFileError: a file of keys can't be used.
    """
    known = keyring.bridge_key(endpoint) is not None
    if keys is not None and not known:
        raise ArgumentError(
            f"keys={str(keys)!r}: the key of {endpoint} is not known there: run `faustwire keys` "
            f"on its machine, and here the line that it prints, with --keys {keyring}"
        )
    return known
