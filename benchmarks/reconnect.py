"""How soon a training publishes again once a trouble of the network is over, and what it cost.

Real bridges, through the tests' proxy and, where network namespaces can be made (Linux, root),
between two hosts of the tests' own. The training steps every 20 ms and waits for a verdict one
second at most.

    PYTHONPATH=tools python benchmarks/reconnect.py --rounds 5
"""

from __future__ import annotations

import argparse
import signal
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

warnings.filterwarnings("ignore")

from bridges import Plugin, served  # noqa: E402
from faustwire import HotReload  # noqa: E402
from hosts import Network, NoNetworkError, two_hosts  # noqa: E402
from proxy import Proxy  # noqa: E402
from trainee import Trainee, trained  # noqa: E402
from trainings import Training  # noqa: E402

TIMEOUT = 1.0
# Longer than heartbeats wait, so that the connection is given up.
LONG = 8.0
SHORT = 2.0


@dataclass(frozen=True)
class Recovery:
    """Seconds from the end of a trouble to the next publish, and of the longest call meanwhile."""

    seconds: float
    longest: float


class Setup:
    """A bridge, a proxy before it, and a training in this process."""

    def __init__(self, stack: ExitStack, plugin: Plugin) -> None:
        self._plugin = plugin
        self.lives = stack.enter_context(ExitStack())
        self.bridge = self.lives.enter_context(served(plugin))
        self.endpoint = self.bridge.endpoint
        self.proxy = stack.enter_context(Proxy(self.endpoint))
        live = HotReload(48000, endpoint=self.proxy.endpoint, timeout=TIMEOUT, min_interval=0)
        self.training = Training(stack.enter_context(live))

    def restart(self) -> None:
        """Another bridge at the same address."""
        self.bridge = self.lives.enter_context(served(self._plugin, bind=self.endpoint))


def cut(setup: Setup) -> None:
    """The connection is reset."""
    setup.proxy.cut()


def silence(setup: Setup, seconds: float) -> None:
    """Nothing comes through, and nobody is told."""
    setup.proxy.part()
    setup.training.go_on(seconds)
    setup.proxy.heal()


def tunnel(setup: Setup) -> None:
    """A tunnel whose other end is away."""
    setup.proxy.answers = False
    setup.proxy.cut()
    setup.training.go_on(LONG)
    setup.proxy.answers = True


def stop(setup: Setup, seconds: float) -> None:
    """The audio machine sleeps."""
    setup.bridge.process.send_signal(signal.SIGSTOP)
    setup.training.go_on(seconds)
    setup.bridge.process.send_signal(signal.SIGCONT)


def kill(setup: Setup, seconds: float) -> None:
    """The bridge is killed, and started again some time later."""
    setup.bridge.process.kill()
    setup.bridge.process.wait()
    setup.training.go_on(seconds)
    setup.restart()


TROUBLES: dict[str, Callable[[Setup], None]] = {
    "connection reset": cut,
    f"silence of {SHORT:g} s": partial(silence, seconds=SHORT),
    f"silence of {LONG:g} s": partial(silence, seconds=LONG),
    f"tunnel without a bridge for {LONG:g} s": tunnel,
    f"bridge stopped for {SHORT:g} s": partial(stop, seconds=SHORT),
    f"bridge stopped for {LONG:g} s": partial(stop, seconds=LONG),
    f"bridge killed, back after {SHORT:g} s": partial(kill, seconds=SHORT),
    f"bridge killed, back after {LONG:g} s": partial(kill, seconds=LONG),
}


def through_a_proxy(rounds: int, folder: Path) -> Iterator[tuple[str, list[Recovery]]]:
    """Each trouble a few times, with a training in this process."""
    for number, (name, trouble) in enumerate(TROUBLES.items()):
        with ExitStack() as stack:
            setup = Setup(stack, _plugin(folder / str(number)))
            setup.training.until_published("the training has begun")
            recoveries = []
            for _ in range(rounds):
                setup.training.longest = 0.0
                trouble(setup)
                seconds = setup.training.until_published(name, 60.0)
                recoveries.append(Recovery(seconds, setup.training.longest))
            yield name, recoveries


@dataclass(frozen=True)
class Studio:
    """A bridge on one host, a training on the other."""

    network: Network
    trainee: Trainee

    def recovers(self, begun: float, what: str) -> Recovery:
        """Wait for the next publish."""
        seconds = self.trainee.publishes_after(time.monotonic(), what, 60.0)
        return Recovery(seconds, self.trainee.longest(begun))


@contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    """Two hosts."""
    with two_hosts() as network:
        network.gpu_box.resolve("studio", network.studio.address)
        within = network.studio.within
        with (
            served(_plugin(folder), "--insecure", bind="tcp://0.0.0.0:5555", within=within),
            trained("tcp://studio:5555", within=network.gpu_box.within) as trainee,
        ):
            trainee.publishes_after(0.0, "the training has begun", 60.0)
            yield Studio(network, trainee)


def between_hosts(rounds: int, folder: Path) -> Iterator[tuple[str, list[Recovery]]]:
    """What needs addresses and cables."""
    with studio(folder / "hosts") as setup:
        for seconds in (SHORT, LONG):
            name = f"two hosts: cable out for {seconds:g} s"
            yield name, [_unplugged(setup, seconds, name) for _ in range(rounds)]
        name = f"two hosts: everything lost for {LONG:g} s"
        yield name, [_lost(setup, LONG, name) for _ in range(rounds)]
        name = "two hosts: another address"
        yield name, [_moved(setup, f"192.0.2.{10 + n}", name) for n in range(rounds)]


def _unplugged(setup: Studio, seconds: float, name: str) -> Recovery:
    begun = time.monotonic()
    setup.network.studio.plug(into=False)
    time.sleep(seconds)
    setup.network.studio.plug(into=True)
    return setup.recovers(begun, name)


def _lost(setup: Studio, seconds: float, name: str) -> Recovery:
    begun = time.monotonic()
    setup.network.cable.be(loss=1.0)
    time.sleep(seconds)
    setup.network.cable.be()
    return setup.recovers(begun, name)


def _moved(setup: Studio, address: str, name: str) -> Recovery:
    begun = time.monotonic()
    setup.network.studio.move(address)
    setup.network.gpu_box.resolve("studio", address)
    return setup.recovers(begun, name)


def _plugin(folder: Path) -> Plugin:
    folder.mkdir()
    return Plugin(folder)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = Table("trouble", "median, s", "at most, s", "longest call, s", title="Publishes again")
    with tempfile.TemporaryDirectory() as name:
        for measure in (through_a_proxy, between_hosts):
            with _left_out_where_it_cannot_be():
                for trouble, recoveries in measure(options.rounds, Path(name)):
                    table.add_row(trouble, *_figures(recoveries))
    Console(width=100).print(table)


@contextmanager
def _left_out_where_it_cannot_be() -> Iterator[None]:
    try:
        yield
    except NoNetworkError as reason:
        print(f"left out: {reason}")


def _figures(recoveries: list[Recovery]) -> list[str]:
    seconds = [recovery.seconds for recovery in recoveries]
    longest = max(recovery.longest for recovery in recoveries)
    return [f"{value:.2f}" for value in (statistics.median(seconds), max(seconds), longest)]


if __name__ == "__main__":
    main()
