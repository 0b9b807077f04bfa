"""A recording on the page: its curve, any step at once, and nothing that a gate refuses."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bridges import DEADLINE, eventually
from faustwire import codec, recording
from faustwire.messages import Reason, Snapshot, Verdict
from faustwire_bridge.listen.plan import make_plan
from faustwire_bridge.listen.recorded import RecordedSource
from graphs import fdn, gain
from page_client import listening, listening_process, opened
from recordings import record, worker

Item = tuple[recording.Channel, bytes]
RUN = "a-1"
_MANY = int(os.environ.get("FAUSTWIRE_MANY", "1000000"))


def _steps(calls: Iterable[int], lines: int = 4) -> Iterator[Item]:
    """A training whose every step was published."""
    for call in calls:
        graph = fdn(lines, seed=call)
        snapshot = Snapshot(call, call, 48_000.0, graph, metrics={"loss": 1 / call})
        yield worker("a"), codec.encode(snapshot)
        verdict = Verdict(call, True, Reason.PUBLISHED, margin_db=0.5, rt60_seconds=1.5)
        yield worker("a", "out"), codec.encode(verdict)


def _loud(seq: int, value: float, reason: Reason | None) -> Iterator[Item]:
    yield worker("a"), codec.encode(Snapshot(seq, seq, 48_000.0, gain(value)))
    if reason is not None:
        verdict = Verdict(seq, False, reason, "60 dB too much")
        yield worker("a", "out"), codec.encode(verdict)


def test_a_recording_shows_its_curve_and_plays_its_last_step_and_its_first(tmp_path: Path) -> None:
    record(tmp_path, _steps(range(1, 41)))
    with listening(str(tmp_path)) as link, opened(link) as page:
        hello = page.until_type("hello")
        assert (hello["mode"], hello["may_steer"]) == ("recording", False)
        state = page.until(lambda m: m["type"] == "state" and m["workers"][0]["call"] == 40)
        assert state["workers"][0]["published"] == 40
        page.say(type="watch", runs=[RUN])
        # The first, while the recording is still read.
        newest = page.until_type("snapshot")
        if newest["call"] != 40:
            page.say(type="ready", run=RUN)
            newest = page.until_type("snapshot")
        assert newest["call"] == 40
        plan = make_plan(fdn(4, seed=40), 48_000.0)
        np.testing.assert_array_equal(newest["values"], plan.values)
        assert (newest["margin_db"], newest["rt60_seconds"]) == (0.5, 1.5)
        structures = [m for m in page.heard if m["type"] == "structure"]
        assert [m["structure"] for m in structures] == [plan.structure]
        rows = [m for m in page.heard if m["type"] == "history"]
        assert [call for m in rows for call in m["calls"]] == list(range(1, 41))
        assert rows[-1]["metrics"]["loss"][-1] == 1 / 40
        assert [call for m in rows for call in m["published"]][-1] == 40
        assert page.fetch(RUN, 0)["call"] == 1


def test_what_the_gates_refused_is_not_played_and_its_reason_is_told(tmp_path: Path) -> None:
    items = [*_loud(1, 0.5, None), *_loud(2, 1.0, Reason.TOO_LOUD), *_loud(3, 1e6, None)]
    record(tmp_path, items)
    with listening(str(tmp_path)) as link, opened(link) as page:
        page.until(lambda m: m["type"] == "state" and m["workers"][0]["call"] == 3)
        # By the recorded verdict, and by a judgement where there was none.
        by_verdict, by_judgement = page.fetch(RUN, 2), page.fetch(RUN, 3)
        assert (by_verdict["type"], by_verdict["detail"]) == ("refused", "60 dB too much")
        assert (by_judgement["type"], by_judgement["reason"]) == ("refused", "too-loud")
        assert page.fetch(RUN, 1)["values"].tolist() == [0.5]
        assert page.fetch("nobody", 1)["reason"] == "not-recorded"


def test_a_recording_that_is_cut_is_played_as_far_as_it_goes_and_the_page_says_so(
    tmp_path: Path,
) -> None:
    [path] = record(tmp_path, _steps(range(1, 41))).paths
    path.write_bytes(path.read_bytes()[:-2000])
    with listening(str(path)) as link, opened(link) as page:
        trouble = page.until(lambda m: m["type"] == "trouble" and m["text"])
        assert trouble["kind"] == "recording"
        assert trouble["text"].startswith(f"The recording is not whole: {path.name}, byte ")


def test_a_recording_without_a_model_says_that_nothing_is_to_be_heard(tmp_path: Path) -> None:
    [path] = record(tmp_path, []).paths
    with listening(str(path)) as link, opened(link) as page:
        trouble = page.until(lambda m: m["type"] == "trouble" and m["text"])
        assert trouble["text"] == "No model is in this recording: there is nothing to hear."


def test_a_recording_that_is_removed_is_said_and_the_page_stays(tmp_path: Path) -> None:
    [path] = record(tmp_path, _steps(range(1, 41))).paths
    aside = path.with_suffix(".aside")
    with listening(str(path)) as link, opened(link) as page:
        page.until(lambda m: m["type"] == "state" and m["workers"][0]["call"] == 40)
        path.rename(aside)
        refused = page.fetch(RUN, 3)
        assert refused["type"] == "refused"
        assert refused["detail"].startswith("the recording can't be read: ")
        aside.rename(path)
        assert page.fetch(RUN, 3)["call"] == 3


def test_a_recording_that_goes_while_it_is_read_is_said(tmp_path: Path) -> None:
    [path] = record(tmp_path, _steps(range(1, 41))).paths
    source = RecordedSource([str(path)])
    path.unlink()

    async def trouble() -> str:
        running = asyncio.create_task(source.run())
        while "recording" not in source.view.troubles:
            assert not running.done()
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return source.view.troubles["recording"]

    said = asyncio.run(asyncio.wait_for(trouble(), DEADLINE))
    assert said.startswith("The recording can't be read to its end: ")


def test_any_of_2000_steps_is_there_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    record(tmp_path, _steps(range(1, 2001), lines=8))
    dice = np.random.default_rng(1)
    taken = []
    with listening(str(tmp_path)) as link, opened(link) as page:
        page.until(lambda m: m["type"] == "state" and m["workers"][0]["call"] == 2000)
        for request, call in enumerate(dice.integers(1, 2001, 15).tolist()):
            begun = time.monotonic()
            found = page.fetch(RUN, call, request)
            taken.append(time.monotonic() - begun)
            assert found["call"] == call
    # Half of them: on a busy machine some of the others wait for a processor.
    assert statistics.median(taken) < 0.1, taken


# A server that keeps every row, to show that the test would see it.
_HOARDER = (
    "import sys; from faustwire_bridge.listen import history;"
    "history.History.__init__.__defaults__ = (10**9,);"
    "from faustwire_bridge.cli import main; sys.exit(main())"
)
# Beside what a recording of a few snapshots takes: one chunk, and what a page has not read yet.
_MOST_BYTES = 24 * 2**20


def _peak_after(call: int, folder: Path, *program: str) -> int:
    """The server's largest memory until it has read as far as a call."""
    options = {"program": program} if program else {}
    with listening_process(str(folder), **options) as (link, pid), opened(link) as page:
        page.until(lambda m: m["type"] == "state" and (m["workers"][0]["call"] or 0) >= call, 1500)
        if not program:
            told = [m for m in page.heard if m["type"] == "history"]
            rows = told[-1] if told else page.until_type("history")
            assert rows["from"] + len(rows["calls"]) <= 4000
            # The last one is a row of its own when all is read.
            eventually(lambda: page.fetch(RUN, call)["call"] == call, "the last step is heard")
        return _peak_bytes(pid)


def _peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_million_snapshots_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    for name, count in (("few", 1000), ("many", _MANY)):
        written = itertools.chain.from_iterable(
            _loud(call, 0.5, Reason.UNCHANGED) for call in range(1, count + 1)
        )
        record(tmp_path / name, written, seconds=1e-4)
    few = _peak_after(1000, tmp_path / "few")
    many = _peak_after(_MANY, tmp_path / "many")
    hoarded = _peak_after(_MANY // 4, tmp_path / "many", "-c", _HOARDER)
    figures = ", ".join(f"{peak / 2**20:.0f}" for peak in (few, many, hoarded))
    print(f"MiB: {figures}")
    assert many - few < _MOST_BYTES, figures
    assert hoarded - few > _MOST_BYTES, f"the test would not see it: {figures}"
