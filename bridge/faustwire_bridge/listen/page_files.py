"""The page's own files: read once, and nothing but them is ever served."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "page"
# Whose cells may hold the page: those of this machine, or of a tunnel that ends here. Only who has
# the link can frame it.
_NOTEBOOKS = "'self' http://localhost:* http://127.0.0.1:* https://localhost:*"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def page_files() -> dict[str, tuple[str, bytes]]:
    """Content type and bytes of each file, by its path in a link (``/`` is the page itself)."""
    found = {
        f"/{path.relative_to(_FOLDER).as_posix()}": (_TYPES[path.suffix], path.read_bytes())
        for path in sorted(_FOLDER.rglob("*"))
        if path.suffix in _TYPES
    }
    return {**found, "/": found["/index.html"]}


def security_headers(host: str) -> dict[str, str]:
    """The headers that keep the page to itself.

    Args:
        host: the request's Host header, checked: some browsers want WebSockets named with it.

    Returns:
        The headers by name.
    """
    policy = (
        f"default-src 'self'; connect-src 'self' ws://{host} wss://{host}; object-src 'none'; "
        f"frame-ancestors {_NOTEBOOKS}; base-uri 'none'; form-action 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
        "Cache-Control": "no-store",
    }
