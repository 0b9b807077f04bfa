"""Who may load the page and talk to its server: token, Host and Origin."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

_TOKEN_BYTES = 18
_MOST_CHARACTERS = 2000


def new_token() -> str:
    """A token that can't be guessed, as a link carries it."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def own_names() -> frozenset[str]:
    """The names under which this machine is reached."""
    return frozenset({"localhost", socket.gethostname().lower(), socket.getfqdn().lower()})


@dataclass(frozen=True)
class Access:
    """What a request must have to be answered.

    A page of somebody else's can make a browser send requests here, with a name of its own that
    leads to this machine (DNS rebinding). So the Host has to be an address or a name of this
    machine, and the WebSocket's Origin has to be the page that was served from here.

    Attributes:
        token: what the link carries.
        own: names of this machine.
        proxies: names that people reach it by as well, in front of a proxy.
    """

    token: str
    own: frozenset[str] = field(default_factory=own_names)
    proxies: frozenset[str] = frozenset()

    def allows_host(self, headers: Iterable[str]) -> bool:
        """Whether a request names this machine.

        Args:
            headers: its Host headers; it must have exactly one.
        """
        given = list(headers)
        return len(given) == 1 and self._is_ours(_name_of(f"//{given[0]}"))

    def allows_origin(self, headers: Iterable[str], host: str) -> bool:
        """Whether a WebSocket comes from a page of this server.

        Args:
            headers: its Origin headers; it must have exactly one.
            host: its Host header, which ``allows_host`` has passed.
        """
        given = list(headers)
        if len(given) != 1:
            return False
        name = _name_of(given[0])
        return name in self.proxies or (
            self._is_ours(name) and urlsplit(given[0]).netloc.lower() == host.lower()
        )

    def allows_token(self, target: str) -> bool:
        """Whether a request's target carries the token.

        Args:
            target: path and query.
        """
        if len(target) > _MOST_CHARACTERS:
            return False
        given = parse_qs(urlsplit(target).query).get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _is_ours(self, name: str | None) -> bool:
        if name is None:
            return False
        if name in self.own or name in self.proxies:
            return True
        try:
            # A name that leads here can be anybody's, an address can't.
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _name_of(url: str) -> str | None:
    """The host in a URL, in lower case; None: it has none that makes sense."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return None
    return parts.hostname
