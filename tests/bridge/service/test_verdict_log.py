"""The bridge's log says once a cause and worker what holds a worker back."""

from __future__ import annotations

import logging

import pytest

from bridges import Plugin, eventually, served
from faustwire.messages import Reason, Verdict
from faustwire_bridge.service import verdict_log
from faustwire_bridge.service.verdict_log import VerdictLog
from faustwire_publisher import HotReload
from recorded_warnings import recorded_warnings


def test_refused_workers_that_alternate_are_told_once_each(plugin: Plugin) -> None:
    """Through a real bridge: what one worker sends does not make another one's cause news."""
    with (
        served(plugin) as bridge,
        HotReload(48000, endpoint=bridge.endpoint, worker="anna") as anna,
        HotReload(48000, endpoint=bridge.endpoint, worker="bert") as bert,
        recorded_warnings(),
    ):
        for _ in range(4):
            assert not anna.publish("process = missing_in_anna;")
            assert not bert.publish("process = missing_in_bert;")
        assert anna.last.reason is Reason.DOES_NOT_COMPILE
        eventually(lambda: bridge.log().count("missing_in_") > 1, "both are in the log")
        lines = [line for line in bridge.log().splitlines() if "does-not-compile" in line]
        assert len(lines) == 2, lines


def test_a_cause_is_news_again_after_a_publish_and_the_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(verdict_log, "_MAX_WORKERS", 2)
    loud = Verdict(1, False, Reason.TOO_LOUD, "peaks at 61.2 dB")
    log = VerdictLog()

    def warned(incarnation: str, verdict: Verdict) -> bool:
        caplog.clear()
        with caplog.at_level(logging.WARNING, "faustwire.bridge"):
            log.log("anna", incarnation, verdict)
        return bool(caplog.records)

    assert warned("1", loud)
    assert not warned("1", Verdict(2, False, Reason.TOO_LOUD, "peaks at 62.9 dB"))
    assert not warned("1", Verdict(3, True, Reason.PUBLISHED))
    assert warned("1", loud)
    assert warned("2", loud)
    assert warned("3", loud)
    assert not warned("2", loud)
    assert warned("1", loud), "forgotten: two others came since"
