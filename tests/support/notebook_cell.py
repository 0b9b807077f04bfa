"""A notebook without JupyterLab: a page of another origin, with a cell that holds ours."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from faustwire_publisher import page

_MODULE = Path(page.__file__).with_name("page_widget.js")
FRAME = 'iframe[title="faustwire listen"]'
_WIDGET = """
<!doctype html><title>a notebook</title><div id="cell"></div><script type="module">
import widget from "./page_widget.js";
const link = new URLSearchParams(location.search).get("link");
const model = { get: (name) => ({ link, host: "gpu-box" })[name], on() {}, off() {} };
widget.render({ model, el: document.getElementById("cell") });
</script>
"""


@contextmanager
def widget_cell(link: str) -> Iterator[str]:
    """A cell with the widget that shows a page; yields the notebook's own link."""
    with html_cell(_WIDGET) as notebook:
        yield f"{notebook}?link={quote(link)}"


@contextmanager
def html_cell(html: str) -> Iterator[str]:
    """A cell with HTML; yields the notebook's own link."""

    class Notebook(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path.endswith(".js")
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if script else "text/html")
            self.end_headers()
            self.wfile.write(_MODULE.read_bytes() if script else html.encode())

        def log_message(self, *_: object) -> None:
            """No line for each request."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notebook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
