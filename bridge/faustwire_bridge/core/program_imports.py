"""What a program of somebody's own may have libfaust and the plugin look up: Faust's libraries.

libfaust follows ``import("http://…")`` and the path of any file that it can read, here and again in
the plugin. Its errors would tell a stranger which files there are, and the plugin might be served
another text than the one that was checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Names that can be imported: the libraries that are a part of Faust.
_NAMES = """
    aanl all analyzers basics compressors debug delays demos dx7 effect envelopes fds filter filters
    hoa hysteresis interpolators linearalgebra math maths maxmsp mi misceffects motion music noises
    oscillator oscillators phaflangers physmodels platform quantizers reducemaps reverbs routes
    runtime sf signals soundfiles spats stdfaust synths tonestacks tubes vaeffects version wdmodels
    webaudio
"""
LIBRARIES = frozenset(f"{name}.lib" for name in _NAMES.split())
# What makes libfaust open a file, or the plugin fetch a sound.
_LOADERS = frozenset({"import", "library", "component", "soundfile"})
# As in Faust's lexer: comments, text between quotes, words; any other character by itself. A
# comment that is never closed goes on to the end: were its end looked for from each "/*" in it, the
# time would grow with the square of the length, to more than a second at 32 KiB.
_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?(?:\*/|\Z)|(?P<word>"[^"]*"|[A-Za-z_][A-Za-z0-9_]*|\S)', re.DOTALL
)
_WORDS = re.compile(r"(?<![A-Za-z_])(?:import|library|component|soundfile)(?![A-Za-z0-9_])")
_LONGEST_SHOWN = 60
# Each character is looked at, for up to 0.3 µs. Longer texts are libfaust's process's to look at,
# where others need not wait for it.
_MAX_AT_HAND = 2**11
_MAX_IMPORTING = 2**18
# The largest of Faust's own, its network reverberator, has 6.5 million.
MAX_EXPANDED = 2**23


def imports_something(program: str) -> bool:
    """Whether a program has libfaust look something up."""
    # Most have no such word, and this is fast.
    return bool(_WORDS.search(program)) and any(word in _LOADERS for word in _tokens(program))


def may_import(program: str) -> bool:
    """Whether a program has libfaust look something up, or is too long to tell at hand.

    Args:
        program: Faust text.

    Returns:
        As ``imports_something``; of a long text true where it has such a word anywhere.
    """
    if len(program) <= _MAX_AT_HAND:
        return imports_something(program)
    return any(word in program for word in _LOADERS)


def unexpanded(why: str) -> str:
    """Say why a program that imports can't be written.

    Args:
        why: there is no libfaust.

    Returns:
        One line.
    """
    return (
        "the program imports libraries, which the plugin would look up again, and only libfaust "
        f"can write them into it: {why}"
    )


def problem_at_hand(program: str) -> str | None:
    """Why a program is refused at once: for what it hides or, if it is short, for what it imports.

    Args:
        program: Faust text.

    Returns:
        One line; None: no reason is found here. ``problem_of_long`` looks at the others.
    """
    if "\0" in program:
        # What is checked would not be what is written.
        return "the program has a null character, at which libfaust stops reading: remove it"
    if "<mdoc" in program:
        # Its content has rules of its own for quotes and comments.
        return "the program has an <mdoc> section, which can't be checked for imports: remove it"
    return import_problem(program) if len(program) <= _MAX_AT_HAND else None


def problem_of_long(program: str) -> str | None:
    """Why a program that is too long to be looked at in the bridge is refused for what it imports.

    Args:
        program: Faust text in which ``problem_at_hand`` has found nothing.

    Returns:
        One line; None: it imports nothing but Faust's own libraries, or is short.
    """
    return import_problem(program) if len(program) > _MAX_AT_HAND else None


def import_problem(program: str) -> str | None:
    """Why a program is refused before libfaust sees it, for what it imports.

    Args:
        program: Faust text without null characters and ``<mdoc>`` sections.

    Returns:
        One line that names the import; None: it looks up nothing but Faust's own libraries.
    """
    if not _WORDS.search(program):
        return None
    if len(program) > _MAX_IMPORTING:
        return (
            f"a program that imports has at most {_MAX_IMPORTING} characters, and this one has "
            f"{len(program)}: make it shorter, or write in it what it imports"
        )
    for word, opened, named in _loaded(program):
        name = named[1:-1]
        if word == "soundfile" or opened != "(" or name not in LIBRARIES or named[0] != '"':
            return (
                f"{word}({named[:_LONGEST_SHOWN]}…) is refused: a program that is sent may import "
                "Faust's own libraries by name, and nothing else"
            )
    return None


def _loaded(program: str) -> Iterator[tuple[str, str, str]]:
    """Words that load something, each with the two that follow it."""
    tokens = _tokens(program)
    for word in tokens:
        if word in _LOADERS:
            yield word, next(tokens, ""), next(tokens, "")


def _tokens(program: str) -> Iterator[str]:
    return (found["word"] for found in _TOKENS.finditer(program) if found["word"])
