"""The wheel cyfaust: loading it and compiling text with it are written here and nowhere else.

It imports nothing but the standard library, so that the compiling process is ready at once.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

# With paths of this machine in them, or of no use to anybody.
_ORIGIN = (
    *("declare version ", "declare compile_options ", "declare filename "),
    "declare library_path",
)


def load(*, libraries: bool = True) -> Any:
    """Load the wheel, which is optional and has 8 MB.

    Args:
        libraries: whether programs may use the Faust libraries that come with the wheel.

    Returns:
        The module.

    Raises:
        ImportError: it is not installed.
    """
    from cyfaust import cyfaust  # noqa: PLC0415

    if not libraries:
        cyfaust.PACKAGE_RESOURCES = ()
    return cyfaust


def create_factory(cyfaust: Any, text: str, name: str, *options: str) -> tuple[Any, str]:
    """Compile a program.

    Args:
        cyfaust: the module.
        text: the program.
        name: what the program is called.
        options: of libfaust.

    Returns:
        (the factory, None if the program does not compile; what libfaust said).
    """
    said = io.StringIO()
    # cyfaust prints libfaust's message and returns None.
    with contextlib.redirect_stdout(said):
        factory = cyfaust.create_dsp_factory_from_string(name, text, *options)
    return factory, said.getvalue()


def expand(cyfaust: Any, text: str, name: str) -> tuple[str | None, str]:
    """Write what a program imports into it.

    Args:
        cyfaust: the module.
        text: the program.
        name: what the program is called.

    Returns:
        (the same program without imports, None if it makes no sense; what libfaust said).
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        expanded = cyfaust.expand_dsp_from_string(name, text)
    return None if expanded is None else without_origin(expanded[1], name), said.getvalue()


def without_origin(expanded: str, name: str) -> str:
    """Leave out what libfaust says of this machine and of itself in a program that it has expanded.

    Args:
        expanded: the program.
        name: what libfaust was told that it is called, and declares.

    Returns:
        The program; who wrote the libraries, and their licences, are still declared in it.
    """
    heads = (f'declare name "{name}";', *_ORIGIN)
    lines = expanded.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(heads))
