"""The bridge that made a recording, as the recording describes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from faustwire.messages import Choice, Welcome
from faustwire.recording import Recording
from faustwire_bridge.core.rules import Rules
from faustwire_bridge.recordings import metadata


@dataclass(frozen=True)
class RecordedBridge:
    """What has to be known to decide a recording again as its bridge did.

    Attributes:
        rules: by which it decided; the defaults where the recording does not hold them.
        welcome: how it introduced itself.
        clock_offset_ns: from its monotonic clock to Unix time.
        from_the_start: whether the recording begins where the bridge did.
        only_published: whether only what was published is in the recording.
        notes: what the recording does not hold, a sentence each.
    """

    rules: Rules
    welcome: Welcome
    clock_offset_ns: int
    from_the_start: bool
    only_published: bool
    notes: tuple[str, ...]

    def seconds(self, at_ns: int) -> float:
        """A recorded time on the bridge's clock, exact to the last digit.

        Args:
            at_ns: Unix time, ns.
        """
        return (at_ns - self.clock_offset_ns) * 1e-9


def recorded_bridge(found: Recording) -> RecordedBridge:
    """Read who made a recording, and by which rules it decided.

    Args:
        found: the recording of one bridge.
    """
    said, notes = found.metadata, []
    rules = metadata.rules(said)
    if rules is None:
        notes.append("it does not hold the bridge's rules; the defaults are used")
        rules = Rules()
    part = said.get("part", "?")
    if part != "1":
        notes.append(
            f"it begins in the middle (part {part}): what the plugin had then "
            "is not known, and verdicts may differ until the first publish"
        )
    only_published = said.get("kept") == "published"
    if only_published:
        rules = replace(rules, follow=Choice())
        notes.append(
            "only what was published is in it: the programs are compared, not the verdicts"
        )
    return RecordedBridge(
        rules,
        Welcome(0, said.get("host", ""), said.get("dsp_path", "")),
        metadata.clock_offset_ns(said),
        from_the_start=part == "1",
        only_published=only_published,
        notes=tuple(notes),
    )
