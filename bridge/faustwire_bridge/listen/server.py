"""The page's server: files and a WebSocket on one port, for whoever has the link."""

from __future__ import annotations

import asyncio
import http
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from faustwire.errors import FaustwireError
from faustwire_bridge.listen.access import Access
from faustwire_bridge.listen.page_files import page_files, security_headers
from faustwire_bridge.listen.page_session import PageSession
from faustwire_bridge.listen.view import Source

_log = logging.getLogger("faustwire.listen")
# What the library says of each connection is of no use to people.
_quiet = logging.getLogger("faustwire.listen.connections")
_quiet.setLevel(logging.CRITICAL)

WRONG_TOKEN = 4401
WRONG_ORIGIN = 4403
# Pages, and connections of all kinds: a browser opens six for a page's files.
_MOST_PAGES = 16
_MOST_CONNECTIONS = 128
# The longest message of a page is a list of 64 runs.
_MOST_BYTES = 2**16
_OPEN_SECONDS = 10.0
_CLOSE_SECONDS = 1.0
_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")


class UnboundError(FaustwireError, OSError):
    """The page can't be served where it should be."""


@dataclass(frozen=True)
class Serving:
    """How pages are served.

    Attributes:
        host, ports: what is bound: the first port that is free; 0: any.
        access: who is let in.
        may_steer: whether a page may choose whom the plugin follows.
        command: an ssh line that helps whoever is elsewhere, or empty.
    """

    host: str
    ports: tuple[int, ...]
    access: Access
    may_steer: bool = False
    command: str = ""
    sessions: set[PageSession] = field(default_factory=set, compare=False)


@asynccontextmanager
async def serving(source: Source, how: Serving) -> AsyncIterator[int]:
    """Serve pages within the block.

    Args:
        source: where their sounds come from.
        how: to whom, and where.

    Yields:
        The port.

    Raises:
        UnboundError: the address can't be bound.
    """
    bound = _bind(how.host, how.ports)
    server = _Pages(source, how)
    kind, connections = _counted()
    async with serve(
        server.serve_page,
        sock=bound,
        process_request=server.answer,
        create_connection=kind,
        compression=None,
        max_size=_MOST_BYTES,
        max_queue=4,
        open_timeout=_OPEN_SECONDS,
        close_timeout=_CLOSE_SECONDS,
        server_header=None,
        logger=_quiet,
    ):
        try:
            yield int(bound.getsockname()[1])
        finally:
            # Browsers open connections ahead, on which they may never ask for anything.
            for connection in list(connections):
                if connection.state is State.CONNECTING:
                    connection.transport.abort()


class _Pages:
    def __init__(self, source: Source, how: Serving) -> None:
        self._source = source
        self._how = how

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer with a file; None: the WebSocket may open, and is looked at in ``serve_page``."""
        if not self._how.access.allows_host(request.headers.get_all("Host")):
            return _refusal(connection, http.HTTPStatus.FORBIDDEN)
        path = urlsplit(request.path).path
        if path == "/ws":
            return None
        host = request.headers["Host"]
        found = page_files().get(path)
        if found is None or not _HOST.fullmatch(host):
            return _refusal(connection, http.HTTPStatus.NOT_FOUND)
        kind, body = found
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **security_headers(host),
        }
        return Response(http.HTTPStatus.OK, "OK", Headers(headers), body)

    async def serve_page(self, connection: ServerConnection) -> None:
        """Serve a page until it has gone."""
        refusal = self._refused(connection)
        if refusal is not None:
            await connection.close(*refusal)
            return
        view = self._source.view
        hello = {
            "mode": view.mode,
            "title": view.title,
            "may_steer": self._how.may_steer,
            "command": self._how.command,
        }
        session = PageSession(connection, self._source, hello=hello, watches=self._watch)
        sessions = self._how.sessions
        sessions.add(session)
        try:
            await session.serve()
        except ConnectionClosed:
            pass
        except FaustwireError as problem:
            await connection.close(1008, str(problem)[:100])
        except Exception:
            _log.exception("internal error, a page is sent away")
            raise
        finally:
            sessions.discard(session)
            self._watch()

    def _refused(self, connection: ServerConnection) -> tuple[int, str] | None:
        request = connection.request
        assert request is not None, "it is open"  # noqa: S101
        headers, access = request.headers, self._how.access
        if not access.allows_origin(headers.get_all("Origin"), headers.get("Host", "")):
            return WRONG_ORIGIN, "this server answers its own pages only"
        if not access.allows_token(request.path):
            return WRONG_TOKEN, "the link's token is missing or wrong"
        if len(self._how.sessions) >= _MOST_PAGES:
            return 1013, f"{_MOST_PAGES} pages are open, and no more can be"
        return None

    def _watch(self) -> None:
        watched = (session.watched for session in self._how.sessions)
        self._source.watch(frozenset().union(*watched))


def _refusal(connection: ServerConnection, status: http.HTTPStatus) -> Response:
    return connection.respond(status, f"{status.phrase}\n")


def _counted() -> tuple[type[ServerConnection], set[ServerConnection]]:
    """A class of connections of which one too many ends at once, and the set of those open."""
    open_ones: set[ServerConnection] = set()

    class Counted(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            open_ones.add(self)
            if len(open_ones) > _MOST_CONNECTIONS and isinstance(transport, asyncio.Transport):
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            open_ones.discard(self)
            super().connection_lost(exc)

    return Counted, open_ones


def _bind(host: str, ports: tuple[int, ...]) -> socket.socket:
    """Bind the first port that is free, with an error that names the last one."""
    for port in ports[:-1]:
        with suppress(OSError):
            return _bound(host, port)
    port = ports[-1]
    try:
        return _bound(host, port)
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        where = f"{host!r}, port {port}" if port else repr(host)
        raise UnboundError(
            f"the page can't be served at {where}: {why}; --bind takes an address of this machine "
            "(127.0.0.1, or 0.0.0.0 for all), --port a free one"
        ) from None


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
