"""The bridge, the watcher and the trainings of the soak test."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from signal import SIGKILL, SIGTERM

import soak_hostile
import soak_workers
from bridges import Plugin, ServedBridge, alive, eventually, free_port, served
from faustwire.bridge_state import PUBLISHED
from faustwire.messages import Event, State
from faustwire_bridge.core.event_log import KEPT_EVENTS
from faustwire_bridge.monitor import watcher
from processes import children, send_signal
from soak_counts import Counts
from soak_workers import Account, Role

WORKERS = 16


class Bridge:
    """``faustwire serve`` on one port, killed and started again."""

    def __init__(self, plugin: Plugin, counts: Counts) -> None:
        self._plugin, self._counts = plugin, counts
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        self._life = ExitStack()
        self._served: ServedBridge | None = None
        self.family: set[int] = set()
        self.start()

    @property
    def pid(self) -> int:
        """Process id of the running bridge."""
        assert self._served is not None
        return self._served.process.pid

    def start(self) -> None:
        """Start a bridge."""
        self._served = self._life.enter_context(
            served(self._plugin, "--log-json", bind=self.endpoint)
        )

    def look(self) -> None:
        """Remember its processes, which must have ended at the end; start one that has ended."""
        assert self._served is not None
        self.family |= {self.pid, *children(self.pid)}
        if self._served.process.poll() is not None:
            last = self._served.log().splitlines()[-1:]
            code = self._served.process.returncode
            self._counts.ended.append(f"exit code {code} after {' '.join(last)}")
            self._read_log()
            self.start()

    def end(self, signal: int) -> None:
        """End the bridge, and count the errors in its log."""
        assert self._served is not None
        self.look()
        send_signal(self.pid, signal)
        self._served.process.wait(20.0)
        self._read_log()

    def _read_log(self) -> None:
        assert self._served is not None
        published: Counter[tuple[str, int]] = Counter()
        for line in self._served.log().splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry["event"] == "published":
                    published[entry["worker"], entry["seq"]] += 1
        self._counts.published += published.total()
        self._counts.doubled += sum(count - 1 for count in published.values() if count > 1)
        self._counts.internal_errors += self._served.log().count("internal error")
        self._life.close()
        self._life = ExitStack()


class Watcher:
    """A watcher across restarts of the bridge; counts events that come twice."""

    def __init__(self, endpoint: str, counts: Counts) -> None:
        self.present = 0
        self._counts = counts
        self._connection = watcher.Watcher(endpoint, lambda _: None)
        # By the bridge's process.
        self._last: Counter[int] = Counter()
        self._written: dict[tuple[int, str, int | None], str] = {}

    def close(self) -> None:
        """Stop watching."""
        self._connection.close()

    def look(self) -> None:
        """Read all waiting messages."""
        while isinstance(state := self._connection.receive(0.001), State):
            self._counts.states += 1
            self.present = sum(worker.connected for worker in state.workers)
            for index, event in enumerate(state.events):
                # What came before the first of a full state may have been pushed out of it.
                pushed_out = index == 0 and len(state.events) == KEPT_EVENTS
                self._take(state.pid, event, pushed_out=pushed_out)

    def _take(self, pid: int, event: Event, *, pushed_out: bool) -> None:
        if event.number <= self._last[pid]:
            return
        self._counts.events += 1
        unseen = event.number - self._last[pid] - 1
        if pushed_out:
            self._counts.pushed_out_events += unseen
        else:
            self._counts.unseen_events += unseen
        self._last[pid] = event.number
        if event.kind in PUBLISHED:
            key = (pid, event.incarnation, event.call)
            self._counts.settled += event.kind == "settled"
            # What was published twice at once stands in the log, too, and is counted there.
            kinds = {event.kind, self._written.get(key, "")}
            self._counts.doubled += "settled" in kinds and key in self._written
            self._written[key] = event.kind


class Workers:
    """The training processes, one in each slot."""

    def __init__(self, folder: Path, counts: Counts, endpoints: list[str]) -> None:
        self._folder, self._counts, self._endpoints = folder, counts, endpoints
        self._pids: dict[int, int] = {}
        # Whoever waits for a verdict from then on, over no proxy, waits for nothing but the bridge.
        self.calm_since = math.inf
        self.all_pids: set[int] = set()
        self._nursery = subprocess.Popen(
            [sys.executable, soak_workers.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for slot in range(WORKERS):
            self.start(slot)

    def start(self, slot: int) -> None:
        """Start a training in a slot."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        file = self._file(slot)
        file.unlink(missing_ok=True)
        endpoint = self._endpoints[slot % len(self._endpoints)]
        role = Role(slot, endpoint, str(file), wait=slot // 4 % 2 == 0, settle=slot % 3 == 0)
        self._nursery.stdin.write(json.dumps(asdict(role)) + "\n")
        self._nursery.stdin.flush()
        self._pids[slot] = int(self._nursery.stdout.readline())
        self.all_pids.add(self._pids[slot])

    def _file(self, slot: int) -> Path:
        return self._folder / f"account-{slot}.json"

    def kill(self, slot: int) -> None:
        """Kill the training in a slot with SIGKILL, and start another."""
        send_signal(self._pids[slot], SIGKILL)
        eventually(lambda: not alive(self._pids[slot]), "a killed worker is gone")
        with suppress(FileNotFoundError):
            account = self._take_in(slot)
            self._counts.open_when_killed += account.open
        self.start(slot)

    def pid(self, slot: int) -> int:
        """Process id of the training in a slot."""
        return self._pids[slot]

    def end(self) -> None:
        """End all trainings in order, and add up their accounts."""
        for pid in self._pids.values():
            send_signal(pid, SIGTERM)
        for pid in self._pids.values():
            eventually(lambda pid=pid: not alive(pid), "a worker ends", 60.0)  # type: ignore[misc]
        for slot in self._pids:
            account = self._take_in(slot)
            self._counts.lost += account.open
            self._counts.disorderly += not account.ended

    def _take_in(self, slot: int) -> Account:
        account = Account(**json.loads(self._file(slot).read_text()))
        self._counts.calls += account.calls
        self._counts.told += account.told
        self._counts.outcomes.update(account.outcomes)
        if slot % len(self._endpoints) == 0:
            self._counts.waits += [took for at, took in account.waits if at >= self.calm_since]
        return account

    def close(self) -> None:
        """Kill the remaining processes."""
        for pid in self._pids.values():
            send_signal(pid, SIGKILL)
        self._nursery.kill()
        self._nursery.communicate()


class Hostile:
    """Hostile peers, one process of each kind."""

    def __init__(self, endpoint: str, seed: int) -> None:
        self._processes = [
            subprocess.Popen(
                [
                    "nice",
                    "-n",
                    "10",
                    sys.executable,
                    soak_hostile.__file__,
                    kind,
                    endpoint,
                    f"{seed}",
                ]
            )
            for kind in soak_hostile.KINDS
        ]

    def end(self) -> None:
        """Kill them; they hang up without a word."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes = []
