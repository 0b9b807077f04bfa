"""The wheel cyfaust: loading it and compiling text with it are written here and nowhere else.

It imports nothing but the standard library, so that the compiling process is ready at once.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any


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
