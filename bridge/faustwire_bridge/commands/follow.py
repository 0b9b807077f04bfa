"""``faustwire follow``: whom the plugin of a running bridge follows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from faustwire.errors import FaustwireError
from faustwire.messages import Choice, Follow, Rejection, State, Steered, WorkerState
from faustwire.terminal import printable
from faustwire.worker_name import is_called
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes
from faustwire_bridge.core.choices import choice
from faustwire_bridge.monitor.monitor_socket import UnreachableError
from faustwire_bridge.monitor.target import Target, add_options, target

# A state tells no more metrics of a worker than this (`core.overview`).
_TOLD_METRICS = 16
_MOST_NAMES = 500


class NobodyError(FaustwireError, ValueError):
    """A choice that no connected worker meets: the plugin would stay as it is."""


class NotSteeredError(FaustwireError):
    """The bridge does not let itself be steered; the text is its own."""


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "follow",
        formatter_class=Paragraphs,
        help="choose whose model the plugin plays",
        description="Tell a running bridge whom its plugin follows, or ask whom it follows now. "
        "What the chosen worker sent last is published at once.",
        epilog=with_exit_codes(
            "faustwire follow latest: whoever has something new (the default). "
            "faustwire follow first: who came first, until it leaves. "
            "faustwire follow worker NAME: that one. "
            "faustwire follow best METRIC [larger]: the one whose metric is best so far.",
            _69="no bridge answers; the message says why and what to do",
            _77="the bridge does not let this machine choose",
        ),
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="whom; none: show the choice")
    parser.add_argument(
        "--even-if-absent",
        action="store_true",
        help="also a worker that has not come yet, or a metric that nobody has sent",
    )
    add_options(parser)
    parser.set_defaults(run=_follow)


def _follow(options: argparse.Namespace) -> int:
    if not options.words:
        sys.stdout.write(printable(target(options).state().follow) + "\n")
        return 0
    wanted = Follow(choice(options.words))
    if not options.even_if_absent:
        _check_present(target(options), wanted.follow)
    answer = target(options).ask(wanted)
    if isinstance(answer, Steered):
        sys.stdout.write(printable(answer.detail) + "\n")
        return 0
    detail = answer.detail if isinstance(answer, Rejection) else f"it answers {answer!r}"
    raise NotSteeredError(f"the bridge declines: {printable(detail)}")


def _check_present(bridge: Target, wanted: Choice) -> None:
    """Check that somebody meets a choice, where this machine may see who is there.

    Raises:
        NobodyError: nobody does.
    """
    if wanted.kind not in ("worker", "best"):
        return
    try:
        state = bridge.state()
    except UnreachableError as problem:
        # A key may be enrolled to steer and not to watch.
        sys.stderr.write(f"who is there can't be seen, so the name is not checked: {problem}\n")
        return
    nobody = _why_nobody(state, wanted)
    if nobody is not None:
        raise NobodyError(f"{nobody}; --even-if-absent follows it all the same")


def _why_nobody(state: State, wanted: Choice) -> str | None:
    present = [worker for worker in state.workers if worker.connected]
    if wanted.kind == "worker":
        return _why_no_worker(present, wanted.name)
    if any(_may_have(worker, wanted.name) for worker in present):
        return None
    there = _listed(name for worker in present for name in worker.metrics)
    return f"no connected worker has sent a metric {wanted.name!r}; sent so far: {there}"


def _why_no_worker(present: Sequence[WorkerState], name: str) -> str | None:
    if any(is_called(name, each.worker, each.incarnation) for each in present):
        return None
    return f"no worker is called {name!r}; connected: {_listed(each.worker for each in present)}"


def _may_have(worker: WorkerState, metric: str) -> bool:
    return metric in worker.metrics or len(worker.metrics) >= _TOLD_METRICS


def _listed(names: Iterable[str]) -> str:
    return printable(", ".join(dict.fromkeys(names)))[:_MOST_NAMES] or "none"
