"""Who is let in, as a real browser asks: the wrong token, another page, another name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from chromium import Browser, chromium, needs_chromium
from notebook_cell import html_cell
from page_client import listening
from recordings import record, snapshot

pytestmark = needs_chromium

# Names that lead to this machine, as somebody else's DNS can say: one is a proxy of ours.
_EVIL, _EARS = "evil.example", "ears.example"
# What another page's script gets of the page's WebSocket: its messages, and how it ends.
_EAVESDROP = """
const socket = new WebSocket(arguments[0]);
let heard = 0;
socket.onmessage = () => { heard++; socket.close(); };
return new Promise((resolve) => { socket.onclose = ({ code }) => resolve([heard, code]); });
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    rules = ", ".join(f"MAP {name} 127.0.0.1" for name in (_EVIL, _EARS))
    with chromium("--no-proxy-server", f"--host-resolver-rules={rules}") as opened:
        yield opened


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("recording")
    record(folder, [snapshot(0)])
    with listening(str(folder), "--name", _EARS) as link:
        yield link


def _socket(link: str, host: str = "") -> str:
    place = urlsplit(link)
    return f"ws://{host or place.hostname}:{place.port}/ws?{place.query}"


def _named(link: str, host: str) -> str:
    return link.replace("127.0.0.1", host)


@contextmanager
def _another_page(browser: Browser) -> Iterator[None]:
    """The browser is on a page of another origin, of this machine, too."""
    with html_cell("<!doctype html><title>another</title>") as address:
        browser.go(address)
        yield


def test_a_page_with_the_wrong_token_says_so_and_gives_up(browser: Browser, link: str) -> None:
    for wrong in (link[:-4], link.partition("?")[0]):
        browser.go(wrong)
        browser.until("return document.getElementById('link').dataset.state === 'closed'", "no")
        assert "4401" in browser.text("troubles")
        assert browser.text("link-text") == "refused"
        assert browser.text("title") == ""


def test_another_pages_script_hears_nothing_though_it_has_the_token(
    browser: Browser, link: str
) -> None:
    with _another_page(browser):
        assert browser.run(_EAVESDROP, _socket(link)) == [0, 4403]
    # The page's own script does, so the test can see it.
    browser.go(link)
    heard, _ = browser.run(_EAVESDROP, _socket(link))
    assert heard == 1


def test_another_name_that_leads_here_gets_neither_page_nor_socket(
    browser: Browser, link: str
) -> None:
    browser.go(_named(link, _EVIL))
    assert browser.run("return document.body.textContent").strip() == "Forbidden"
    with _another_page(browser):
        # The browser hides the refusal's status; it never opened.
        assert browser.run(_EAVESDROP, _socket(link, _EVIL)) == [0, 1006]


def test_a_name_of_ours_is_served_and_told_that_plain_http_has_no_sound(
    browser: Browser, link: str
) -> None:
    browser.go(_named(link, _EARS))
    browser.until("return document.getElementById('title').textContent", "the page")
    troubles = browser.text("troubles")
    assert f"ssh -N -L {urlsplit(link).port}:localhost:{urlsplit(link).port} {_EARS}" in troubles
    heard, _ = browser.run(_EAVESDROP, _socket(link, _EARS))
    assert heard == 1
