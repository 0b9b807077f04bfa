"""The page as a notebook's widget; needs the extra ``notebook``, and is imported by who has it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import ClassVar

import traitlets
from anywidget import AnyWidget


class PageWidget(AnyWidget):
    """A frame with the page in a cell; it asks the kernel for nothing, which may be busy.

    Attributes:
        link: opens the page.
        host: the kernel's machine, for who has to forward the port.
    """

    _esm: ClassVar[str] = Path(__file__).with_name("page_widget.js").read_text("utf-8")
    link = traitlets.Unicode().tag(sync=True)
    host = traitlets.Unicode(socket.gethostname()).tag(sync=True)
