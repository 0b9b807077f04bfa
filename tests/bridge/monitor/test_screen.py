"""What a terminal shows of a bridge: what matters, on as many lines as there are, and no tricks."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from faustwire.messages import Choice, Reason, State
from faustwire_bridge.monitor.screen import screen
from faustwire_bridge.monitor.view_model import ViewModel
from states import event, state, worker

HOSTILE = "\x1b[2J\x1b]0;title\x07\u202e[bold red]x[/]\nline\r"


def drawn(seen: State | ViewModel, *, width: int = 100, height: int | None = None) -> list[str]:
    """The lines of the screen half a second after the state came."""
    view = seen
    if isinstance(view, State):
        view = ViewModel()
        view.take(seen, 5.0, 1_700_000_000.0)  # type: ignore[arg-type]
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    with console.capture() as capture:
        console.print(screen(view, 5.5, width=width, height=height))
    return capture.get().splitlines()


def plain(seen: State | ViewModel, **size: int) -> str:
    """The text alone."""
    from rich.text import Text

    return "\n".join(Text.from_ansi(line).plain for line in drawn(seen, **size))


def test_what_plays_is_told_with_its_age_and_cost() -> None:
    text = plain(state())
    assert "anna, call 1201   loaded 3.5 s ago, 41 reloads, 57 ms of silence each" in text
    assert "latest: whoever" in text
    assert "studio:/plugins/live.dsp" in text
    for word in ("gpu-3", "1204", "0.0132", "12.1/s", "41/1204", "published", "▶"):
        assert word in text


def test_what_no_plugin_watches_is_written_and_not_played() -> None:
    view = ViewModel()
    view.watched = False
    view.take(state(), 5.0, 1_700_000_000.0)
    text = plain(view)
    assert "written    anna, call 1201   3.5 s ago, 41 times; no plugin watches this file" in text
    assert "▶ written" in text
    assert "plays" not in text
    assert "silence" not in text


def test_a_bridge_without_workers_says_so() -> None:
    text = plain(state(playing_worker="", reloaded_at=None, reloads=0, workers=()))
    assert "nothing of this bridge yet" in text
    assert "no worker has come" in text


def test_workers_stay_in_their_rows_and_who_is_gone_comes_last() -> None:
    text = plain(state(worker("gone", connected=False), worker("waits", followed=False),
                       worker("anna"), worker("heard")))  # fmt: skip
    positions = [text.index(f"{mark}  {name}") for mark, name in
                 (("○", "waits"), ("▶", "anna"), ("●", "heard"), ("✕", "gone"))]  # fmt: skip
    assert positions == sorted(positions)


def test_what_was_published_after_its_call_counts_as_published() -> None:
    """Settled, or because another worker was chosen; neither is a call of its own."""
    counts = {"published": 1, "min-interval": 39, "settled": 8, "followed": 2}
    text = plain(state(worker("anna", counts=counts)), width=160)
    assert "11/40" in text
    assert "min-interval 39" in text
    assert "settled 8" not in text


def test_namesakes_are_told_apart() -> None:
    twins = [worker("run")] * 2
    twins[1] = worker("run", host="gpu-4")
    text = plain(state(*twins))
    assert text.count("run#run-") == 2


def test_what_holds_a_worker_back_is_told_in_full() -> None:
    detail = "the gain reaches 63 dB at 1204 Hz: lower the output gain, or raise --max-gain-db"
    text = plain(state(worker("loud", reason=Reason.TOO_LOUD, detail=detail)))
    assert f"loud: too-loud: {detail}" in " ".join(text.split())


def test_the_metric_that_decides_has_the_first_column() -> None:
    metrics = {"lr": 1.0, "loss": 2.0, "sdr": 3.0}
    text = plain(state(worker("anna", metrics=metrics), follow=Choice("best", "sdr", larger=True)))
    assert "best sdr: whose is largest so far" in text
    assert "sdr" in text.splitlines()[4]
    assert "lr" not in text.splitlines()[4]


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24), (160, 50), (60, 12), (20, 5)])
def test_no_line_is_too_long_and_the_newest_event_stays_on_the_screen(
    width: int, height: int
) -> None:
    many = [worker(f"sweep-{number}", detail="long " * 40) for number in range(64)]
    loud = worker("loud", reason=Reason.TOO_LOUD, detail="words of some length " * 9)
    events = tuple(event(number, worker=f"sweep-{number}", call=number) for number in range(1, 30))
    seen = state(worker("anna"), loud, *many, events=events, recording="/r/" + "x" * 200)
    lines = plain(seen, width=width, height=height).splitlines()
    assert all(len(line) <= width for line in lines)
    if height >= 12:
        assert len(lines) <= height
        assert "#29" in lines[-1]
        assert any("anna" in line for line in lines)


def test_nothing_that_a_worker_says_reaches_the_terminal_as_a_command() -> None:
    hostile = worker(HOSTILE, host=HOSTILE, user=HOSTILE, metrics={HOSTILE: float("nan")},
                     reason=Reason.REFUSED, detail=HOSTILE, counts={HOSTILE: 3})  # fmt: skip
    seen = state(hostile, playing_worker=HOSTILE, dsp_path=HOSTILE, host=HOSTILE, recording=HOSTILE,
                 follow=Choice("best", HOSTILE),
                 events=(event(1, HOSTILE, detail=HOSTILE, worker=HOSTILE),))  # fmt: skip
    lines = drawn(seen, width=400)
    # What is left of escapes are rich's own colours.
    assert "\x1b[2J" not in "".join(lines)
    text = plain(seen, width=400)
    assert not set("\x1b\x07\u202e\r") & set(text)
    assert "[bold red]x[/]" in text
    assert len(lines) == len(drawn(state(worker("a"), events=(event(1),)), width=400)) + 1


def test_many_reloads_in_a_row_do_not_hide_what_else_happened() -> None:
    reloads = [event(number, call=number) for number in range(2, 30)]
    seen = state(events=(event(1, "joined", worker="berta"), *reloads))
    text = plain(seen, width=100, height=20)
    assert "joined      berta" in text
    assert "… 25 reloads" in text
    assert [f"#{call}" in text for call in (26, 27, 28, 29)] == [False, True, True, True]


def test_a_bridge_that_is_away_is_shown_with_what_was_known() -> None:
    view = ViewModel()
    view.take(state(), 5.0, 1_700_000_000.0)
    view.miss("nobody listens at tcp://studio:5556", 5.2, 1_700_000_000.0)
    text = plain(view)
    assert "as it was 0.5 s ago; nobody listens at tcp://studio:5556" in text
    assert "gpu-3" in text
    assert "bridge      nobody listens" in text
