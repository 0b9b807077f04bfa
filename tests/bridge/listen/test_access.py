"""Who is let in: the link's holder, from this server's page, under this machine's name."""

from __future__ import annotations

import http.client
import json
import socket
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from faustwire_bridge.commands.listen import _port
from faustwire_bridge.listen.access import Access
from faustwire_bridge.listen.server import UnboundError, _bind
from page_client import PageClient, listening, opened
from recordings import record, snapshot


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("recording")
    record(folder, [snapshot(0)])
    with listening(str(folder)) as link:
        yield link


def _closed(page: PageClient) -> int:
    with pytest.raises(ConnectionClosed) as ended:
        page.until(lambda _: False)
    assert page.heard == []
    return ended.value.rcvd.code if ended.value.rcvd is not None else 0


def _get(link: str, path: str = "/", host: str | None = None) -> http.client.HTTPResponse:
    place = urlsplit(link)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=10)
    connection.request("GET", path, headers={"Host": host or place.netloc})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_a_wrong_token_is_told_nothing(link: str) -> None:
    with opened(link[:-1] + ("a" if link[-1] != "a" else "b")) as page:
        assert _closed(page) == 4401
    with opened(link.partition("token")[0]) as page:
        assert _closed(page) == 4401


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost:1", "null", None])
def test_another_pages_script_is_told_nothing(link: str, origin: str | None) -> None:
    with opened(link, origin=origin) as page:
        assert _closed(page) == 4403


def test_another_name_for_this_machine_is_refused_whatever_is_asked(link: str) -> None:
    for path in ("/", "/connection.js", "/nothing"):
        assert _get(link, path, "evil.example").status == 403
    with (
        pytest.raises(InvalidStatus) as refused,
        opened(link, additional_headers={"Host": "evil.example"}),
    ):
        pass
    assert refused.value.response.status_code in (400, 403)


def test_files_come_with_a_policy_and_nothing_but_them(link: str) -> None:
    answer = _get(link)
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; connect-src 'self' ws://127.0.0.1:")
    assert "unsafe" not in policy
    for path in ("/../access.py", "/%2e%2e/access.py", "/app", "/app/../../access.py", "//"):
        assert _get(link, path).status == 404
    assert _get(link, "/engine/worklet.js").headers["Content-Type"].startswith("text/javascript")


def test_a_page_that_asks_too_much_or_nonsense_is_sent_away_and_others_stay(link: str) -> None:
    with opened(link) as quiet:
        for nonsense in ("[]", "{", json.dumps({"type": "watch", "runs": ["x"] * 65})):
            with opened(link) as page:
                page.socket.send(nonsense)
                with pytest.raises(ConnectionClosed):
                    page.until(lambda _: False)
        with opened(link) as page:
            with suppress(ConnectionClosed):
                for _ in range(1000):
                    page.say(type="ready", run="a")
            with pytest.raises(ConnectionClosed):
                page.until(lambda _: False)
        assert quiet.fetch("nobody", 1)["reason"] == "not-recorded"


def test_it_ends_at_once_though_a_browser_keeps_an_unused_connection(tmp_path: Path) -> None:
    record(tmp_path, [snapshot(0)])
    with ExitStack() as stack:
        with listening(str(tmp_path)) as link:
            place = urlsplit(link)
            address = place.hostname or "", place.port or 0
            stack.enter_context(socket.create_connection(address))
            assert _get(link).status == 200, "the first connection is accepted, too"
            begun = time.monotonic()
        # The library would wait ten seconds for what it asks.
        assert time.monotonic() - begun < 8.0


def test_addresses_own_names_and_named_proxies_are_ours() -> None:
    access = Access("t", frozenset({"localhost", "box"}), frozenset({"ears.example"}))
    for host in ("localhost:8470", "BOX", "127.0.0.1:1", "[::1]:8470", "ears.example"):
        assert access.allows_host([host]), host
    for host in ("evil.example", "", "box.evil.example", "box@evil.example", "localhost:x"):
        assert not access.allows_host([host]), host
    assert not access.allows_host(["localhost", "localhost"])
    assert access.allows_origin(["https://ears.example"], "box:8470")
    assert access.allows_origin(["http://box:8470"], "box:8470")
    assert not access.allows_origin(["http://box:8471"], "box:8470")


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 64, ""])
def test_where_a_page_cannot_be_served_is_said_and_what_to_do(host: str) -> None:
    with pytest.raises(UnboundError, match=rf"^the page can't be served at '{host}'.*--bind takes"):
        _bind(host, (0,))


def test_a_port_that_is_taken_is_named_unless_there_is_another() -> None:
    with closing(_bind("127.0.0.1", (0,))) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(UnboundError, match=f"port {port}: .*--port a free one"):
            _bind("127.0.0.1", (port,))
        with closing(_bind("127.0.0.1", (port, 0))) as second:
            assert second.getsockname()[1] != port


@pytest.mark.parametrize("text", ["x", "-1", "65536", "1e3", "", "9" * 5000])
def test_what_is_no_port_is_said(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a port from 0 to 65535"):
        _port(text)
