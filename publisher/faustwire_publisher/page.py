"""The page that plays the model in the browser: ``faustwire listen``, started as a program."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

from faustwire.errors import FaustwireError, explained
from faustwire.rendezvous import page_place

if TYPE_CHECKING:
    from faustwire_publisher.page_widget import PageWidget

_LINK = re.compile(r"http://\S+")
_WAIT_SECONDS = 10.0
# Of a notebook's cell, in pixels: the page's upper half.
_HEIGHT = 900


class PageError(FaustwireError, RuntimeError):
    """The page can't be served; the text says why."""


class Page:
    """The page of one bridge, which no training owns: whoever asks for it first starts it.

    It outlives this process and finds the next one, and ends by itself a minute after the bridge
    has gone and the last browser has left it. Its link is printed as soon as it is served.
    """

    def __init__(self, options: Sequence[str], endpoint: str) -> None:
        """Nothing is started yet.

        Args:
            options: of ``faustwire listen``, by which it finds the bridge.
            endpoint: of the bridge.
        """
        self._options = tuple(options)
        self._endpoint = endpoint
        self._reset()

    def _reset(self) -> None:
        self._started = False
        self._told = threading.Event()
        self._link: str | None = None
        self._widget: PageWidget | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_options": self._options, "_endpoint": self._endpoint}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def start(self) -> None:
        """Have the page served, unless that was done; returns at once."""
        if self._started:
            return
        self._started = True
        # RuntimeError: the interpreter is ending.
        try:
            child = self._start()
        except (OSError, FaustwireError, RuntimeError) as problem:
            sys.stderr.write(f"faustwire: the page can't be served: {explained(problem)}\n")
            self._told.set()
            return
        threading.Thread(
            target=self._hear, args=(child,), name="faustwire-page", daemon=True
        ).start()

    @property
    def link(self) -> str:
        """The link that opens the page; waits until it is served.

        Raises:
            PageError: it is not.
        """
        self.start()
        if not self._told.wait(_WAIT_SECONDS) or self._link is None:
            log = page_place(self._endpoint).log_path
            raise PageError(f"the page is not served; `faustwire listen` says why, or {log}")
        return self._link

    def widget(self) -> PageWidget:
        """The page as a notebook's widget, which goes on while the kernel is busy.

        Returns:
            The widget, the same one each time; a cell shows it.

        Raises:
            PageError: the page is not served, or the extra ``notebook`` is not installed.
        """
        if self._widget is None:
            try:
                from faustwire_publisher.page_widget import PageWidget  # noqa: PLC0415
            except ModuleNotFoundError as problem:
                raise PageError(
                    f"a widget needs {problem.name}, which is not installed: "
                    "pip install 'faustwire[notebook]'; without it a cell shows a plain frame"
                ) from problem
            self._widget = PageWidget(link=self.link)
        return self._widget

    def _repr_mimebundle_(self, **how: Any) -> Any:
        """The widget in a notebook's cell; None: there is none, and ``_repr_html_`` is shown."""
        if find_spec("anywidget") is None:
            return None
        return self.widget()._repr_mimebundle_(**how)

    def _repr_html_(self) -> str:
        """The page in a plain frame, where there are no widgets."""
        link = html.escape(self.link, quote=True)
        return (
            f'<iframe src="{link}" width="100%" height="{_HEIGHT}" style="border: 0" '
            f'allow="autoplay; microphone"></iframe><p><a href="{link}" target="_blank" '
            'rel="noopener">in a window of its own</a></p>'
        )

    def __repr__(self) -> str:
        return f"Page({self._link or self._endpoint!r})"

    def _start(self) -> subprocess.Popen[str]:
        place = page_place(self._endpoint)
        place.prepare()
        command = [sys.executable, "-m", "faustwire_bridge", "listen", *self._options]
        command += ["--once", "--leave-when-idle"]
        # Appended to: one that serves already may write there, and would leave a gap.
        with place.log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd="/",
                # Ctrl-C in the training's terminal must not end the page.
                start_new_session=True,
            )

    def _hear(self, child: subprocess.Popen[str]) -> None:
        stdout: IO[str] | None = child.stdout
        assert stdout is not None  # noqa: S101 - it was asked for
        with stdout:
            found = _LINK.search(stdout.readline())
        self._link = None if found is None else found.group()
        self._told.set()
        with suppress(OSError, ValueError):
            if self._link is not None:
                sys.stderr.write(f"faustwire: listen at {self._link}\n")
            else:
                log = page_place(self._endpoint).log_path
                sys.stderr.write(f"faustwire: the page can't be served, see {log}\n")
        child.wait()
