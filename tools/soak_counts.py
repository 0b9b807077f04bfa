"""What the soak test counts, and the resources of a process over time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from processes import descriptors, rss_mib


@dataclass
class Counts:
    """Counts of a run."""

    deeds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    told: int = 0
    lost: int = 0
    open_when_killed: int = 0
    published: int = 0
    settled: int = 0
    doubled: int = 0
    states: int = 0
    events: int = 0
    unseen_events: int = 0
    # More happened between two looks than a state keeps.
    pushed_out_events: int = 0
    still_shown: int = 0
    internal_errors: int = 0
    looks: int = 0
    contents: int = 0
    torn: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    disorderly: int = 0
    ended: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Violated expectations, one sentence each."""
        found = {
            f"{self.lost} calls without an end": self.lost,
            f"{self.doubled} snapshots published twice": self.doubled,
            f"torn files: {self.torn}": self.torn,
            f"left behind: {self.leftovers}": self.leftovers,
            f"{self.internal_errors} internal errors": self.internal_errors,
            f"{self.disorderly} workers did not end in order": self.disorderly,
            f"{self.still_shown} workers are shown that have gone": self.still_shown,
            f"{self.unseen_events} events unseen": self.unseen_events,
            f"the bridge ended by itself: {'; '.join(self.ended)}": self.ended,
            "nothing was published": not self.published,
            "the reader saw nothing": not self.contents,
        }
        return [problem for problem, is_so in found.items() if is_so]

    def __str__(self) -> str:
        def listed(counter: Counter[str]) -> str:
            return ", ".join(f"{name} {count}" for name, count in counter.most_common())

        messages = sum(self.outcomes.values()) + self.lost
        verdicts = messages - self.lost - self.outcomes["superseded"]
        return (
            f"  done: {listed(self.deeds)}\n"
            f"  calls {self.calls}, messages handed over {messages}, verdicts {verdicts}, "
            f"superseded {self.outcomes['superseded']}, told at once that there is no bridge "
            f"{self.told}, on their way when their worker was killed {self.open_when_killed}\n"
            f"  how they ended: {listed(self.outcomes)}\n"
            f"  a watcher saw {self.states} states, {self.events} events, missed "
            f"{self.unseen_events}, came too late for {self.pushed_out_events}\n"
            f"  published {self.published}, later {self.settled}; lost {self.lost}, doubled "
            f"{self.doubled}, torn "
            f"{len(self.torn)} of {self.contents} contents in {self.looks} looks, left behind "
            f"{len(self.leftovers)}, internal errors {self.internal_errors}, ended by itself "
            f"{len(self.ended)}\n"
            f"  in the calm, from workers without a proxy: {self._waited()}"
        )

    def _waited(self) -> str:
        if not self.waits:
            return "no verdicts"
        median, late = np.percentile(self.waits, [50, 99])
        return (
            f"{len(self.waits)} verdicts, p50 {1000 * median:.0f} ms, p99 {1000 * late:.0f} ms, "
            f"longest {1000 * max(self.waits):.0f} ms"
        )


@dataclass
class Samples:
    """Resources of a process over time: seconds, MiB, open descriptors."""

    at: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self, pid: int, now: float) -> None:
        """Sample the process, if it runs."""
        mib = rss_mib(pid)
        if mib:
            self.at.append(now)
            self.mib.append(mib)
            self.descriptors.append(descriptors(pid))

    def __str__(self) -> str:
        if len(self.at) < 4:
            return "too short to tell"
        # The first quarter is warming up.
        late = len(self.at) // 4
        most = max(self.mib)
        slope = float(np.polyfit(self.at[late:], self.mib[late:], 1)[0]) * 60
        return (
            f"{self.mib[0]:.1f} MiB at first, {self.mib[late]:.1f} at a quarter, "
            f"{self.mib[-1]:.1f} in the end, at most {most:.1f}, {slope:+.2f} a minute; "
            f"{self.descriptors[late]} descriptors at a quarter, {self.descriptors[-1]} in the end"
        )
