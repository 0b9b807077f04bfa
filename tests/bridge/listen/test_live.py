"""A running bridge on the page: whoever is judged is heard, followed by the plugin or not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bridges import Plugin, served
from faustwire.messages import Reason
from page_client import Message, listening, opened
from peers import peer


def _state_of(call: int) -> Callable[[Message], bool]:
    """A state in which a call of the first worker has come; in an earlier one nobody is there."""
    return lambda m: m["type"] == "state" and call in [one["call"] for one in m["workers"][:1]]


def _value(call: int) -> Callable[[Message], bool]:
    return lambda m: m["type"] == "snapshot" and m["call"] == call


def test_a_page_hears_each_worker_whomever_the_plugin_follows(plugin: Plugin) -> None:
    with (
        served(plugin, "--no-compile-gate", "--follow", "worker", "anna") as bridge,
        listening("--endpoint", bridge.endpoint) as link,
        peer(bridge.endpoint, "anna") as anna,
        peer(bridge.endpoint, "bob") as bob,
        opened(link) as page,
    ):
        page.until(lambda m: m["type"] == "state" and len(m["workers"]) == 2)
        page.say(type="watch", runs=["anna-1", "bob-1"])
        assert anna.update(0.5, {"loss": 3.0}).published
        assert bob.update(0.25).reason is Reason.NOT_FOLLOWED
        heard: dict[str, Message] = {}

        def both(message: Message) -> bool:
            if message["type"] == "snapshot":
                heard[message["run"]] = message
            return len(heard) == 2

        page.until(both)
        assert heard["anna-1"]["values"].tolist() == [0.5]
        assert heard["bob-1"]["values"].tolist() == [0.25]
        for run in heard:
            page.say(type="ready", run=run)
        assert anna.update(0.75).published
        page.until(_value(2))
        assert page.fetch("anna-1", 1)["values"].tolist() == [0.5]
        state = page.until(_state_of(2))
        assert [row["standing"] for row in state["workers"]] == ["plays", "not followed"]

        def can_be_heard(message: Message) -> object:
            mine = message["type"] == "history" and message["run"] == "anna-1"
            return mine and list(message["snapshots"][-1:]) == [2]

        if not any(map(can_be_heard, page.heard)):
            page.until(can_be_heard)


def test_what_is_refused_is_told_with_its_reason_and_never_heard(plugin: Plugin) -> None:
    with (
        served(plugin, "--no-compile-gate", "--follow", "worker", "anna") as bridge,
        listening("--endpoint", bridge.endpoint) as link,
        peer(bridge.endpoint, "anna") as anna,
        peer(bridge.endpoint, "bob") as bob,
        opened(link) as page,
    ):
        page.say(type="watch", runs=["anna-1", "bob-1"])
        # One by its verdict, one by a judgement for this page alone.
        assert anna.update(1e6).reason is Reason.TOO_LOUD
        assert bob.update(1e6).reason is Reason.NOT_FOLLOWED
        refused = {}
        for _ in range(2):
            message = page.until_type("refused")
            refused[message["run"]] = message["reason"]
        assert refused == {"anna-1": "too-loud", "bob-1": "too-loud"}
        assert not any(m["type"] == "snapshot" for m in page.heard)


def test_a_page_that_takes_nothing_in_gets_the_newest_afterwards(plugin: Plugin) -> None:
    with (
        served(plugin, "--no-compile-gate") as bridge,
        listening("--endpoint", bridge.endpoint) as link,
        peer(bridge.endpoint, "anna") as anna,
        opened(link) as page,
    ):
        page.say(type="watch", runs=["anna-1"])
        anna.update(0.5)
        page.until(_value(1))
        for _ in range(20):
            anna.update(float(np.random.default_rng(anna.call).uniform(0.1, 0.9)))
        page.until(_state_of(21))

        def newest(message: Message) -> bool:
            # A state may come before the snapshot that it tells of; an older one comes first then.
            if message["type"] == "snapshot":
                page.say(type="ready", run="anna-1")
            return _value(21)(message)

        page.say(type="ready", run="anna-1")
        page.until(newest)
        assert sum(m["type"] == "snapshot" for m in page.heard) <= 3


def test_a_page_steers_only_where_it_may(plugin: Plugin) -> None:
    with served(plugin, "--no-compile-gate") as bridge, peer(bridge.endpoint, "anna"):
        for options, may in ([], False), (["--steer"], True):
            with listening("--endpoint", bridge.endpoint, *options) as link, opened(link) as page:
                assert page.until_type("hello")["may_steer"] is may
                page.say(type="follow", words=["worker", "anna"])
                detail = page.until_type("steered")["detail"]
                assert ("--steer" in detail) is not may
        with listening("--endpoint", bridge.endpoint) as link, opened(link) as page:
            state = page.until(lambda m: m["type"] == "state")
            assert state["follow"] == "worker anna"


def test_the_page_goes_on_when_the_bridge_comes_back(plugin: Plugin) -> None:
    with served(plugin, "--no-compile-gate") as bridge:
        endpoint = bridge.endpoint
        with listening("--endpoint", endpoint) as link, opened(link) as page:
            with peer(endpoint, "anna") as anna:
                page.say(type="watch", runs=["anna-1"])
                anna.update(0.5)
                page.until(_value(1))
                page.say(type="ready", run="anna-1")
            bridge.process.kill()
            bridge.process.wait()
            trouble = page.until(lambda m: m["type"] == "trouble" and m["text"])
            assert trouble["kind"] == "bridge"
            with served(plugin, "--no-compile-gate", bind=endpoint), peer(endpoint, "anna") as anna:
                page.until(lambda m: m["type"] == "trouble" and not m["text"])
                anna.call = 1
                anna.update(0.75)
                assert page.until(_value(2))["values"].tolist() == [0.75]
