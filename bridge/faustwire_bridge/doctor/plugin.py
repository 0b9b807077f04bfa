"""The plugin's files and the place where workers and bridge of this machine meet."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from faustwire.file_path import expanded, file_path
from faustwire.rendezvous import CONFIG_PATH, rendezvous
from faustwire_bridge.children.compiler import missing
from faustwire_bridge.doctor.finding import OK, PROBLEM, WARNING, Finding, Subject
from faustwire_bridge.doctor.machine import compile_once
from faustwire_bridge.monitor.watchers import watchers

# Of disk: a program has some 50 KiB, and the old one is there while the new one is written.
_ROOM_BYTES = 2**20


def dsp(subject: Subject) -> Iterator[Finding]:
    """The ``.dsp``: can it be replaced, and is what is there a program?"""
    real = file_path(subject.dsp_path, "--dsp-path")
    named = Path(os.path.abspath(expanded(subject.dsp_path, "--dsp-path")))  # noqa: PTH100 - links stay
    if named != real:
        yield Finding(
            OK, f"{named} leads to {real}; the plugin is told that, for it does not follow links"
        )
    yield from _replaceable(real)
    if not real.exists():
        yield Finding(OK, f"{real} is not there yet: the first publish makes it")
    elif real.stat().st_size == 0:
        yield Finding(
            PROBLEM,
            f"{real} is empty, and a plugin that loads it takes its DAW down",
            f"remove it: rm {real}",
        )
    else:
        yield _compiles(real)
    yield from _watched(real)


def _compiles(real: Path) -> Finding:
    """A program that does not compile takes the DAW down that loads it."""
    size = f"{real} has {real.stat().st_size} bytes"
    if missing() is not None:
        return Finding(OK, f"{size}; without libfaust it is not known whether it compiles")
    answer = compile_once(real.read_text("utf-8", "replace"))
    problem = answer.problem
    if not problem:
        return Finding(OK, f"{size} and compiles")
    return Finding(
        PROBLEM,
        f"{real} does not compile, and a plugin that loads it takes its DAW down: {problem}",
        f"remove it (rm {real}), or publish a model",
    )


def _watched(real: Path) -> Iterator[Finding]:
    """Whether a plugin is there to notice a new program; known on Linux alone."""
    names = None if not real.parent.is_dir() else watchers(real.parent)
    if names is None:
        return
    if names:
        yield Finding(OK, f"{real.parent} is watched by {', '.join(names)}, perhaps the DAW")
    else:
        yield Finding(
            OK,
            f"no program of this user watches {real.parent}: no plugin has loaded the .dsp, so "
            "what is published is written and not heard",
        )


def config(subject: Subject) -> Iterator[Finding]:
    """The plugin's config: does it name the ``.dsp``?"""
    path = file_path(subject.config_path, "--config-path")
    wanted = file_path(subject.dsp_path, "--dsp-path")
    if path != Path(os.path.realpath(CONFIG_PATH)):
        yield Finding(
            WARNING,
            f"the plugin reads {CONFIG_PATH} and nothing else; this is about {path}",
            "leave out --config-path, unless yours reads another one (docs/plugin.md)",
        )
    yield from _replaceable(path)
    try:
        first = path.read_text("utf-8", "replace").partition("\n")[0].strip()
    except FileNotFoundError:
        yield Finding(
            OK, f"{path} is not there yet, so a plugin plays its own default; a publish makes it"
        )
        return
    yield _named(path, first, wanted)


def _named(path: Path, first: str, wanted: Path) -> Finding:
    # DIR/./live.dsp is how the bridge names a file whose directory was made anew.
    if first.startswith("/") and os.path.normpath(first) == str(wanted):
        return Finding(OK, f"{path} names {wanted}, so that is what the plugin plays")
    remedy = "the next publish sets it right"
    if not first:
        return Finding(
            WARNING, f"the first line of {path} is empty: the plugin has nothing", remedy
        )
    if os.path.realpath(first) == str(wanted):
        return Finding(
            WARNING,
            f"{path} names {first}, which leads to {wanted}: the plugin does not notice when the "
            "target of a link is replaced",
            remedy,
        )
    return Finding(
        WARNING,
        f"{path} names {first}: that is what the plugin plays, not {wanted}",
        f"{remedy}; or say --dsp-path {first}",
    )


def meeting_place(subject: Subject) -> Iterator[Finding]:
    """The private directory for the sockets of this user's bridges."""
    directory = rendezvous(file_path(subject.dsp_path, "--dsp-path")).directory
    try:
        status = directory.lstat()
    except FileNotFoundError:
        yield Finding(OK, f"{directory} is not there yet: the first bridge makes it")
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        yield Finding(
            PROBLEM,
            f"{directory} belongs to somebody else, so no socket would be safe there",
            f"have it removed: rm -r {directory}",
        )
    elif status.st_mode & 0o077:
        yield Finding(
            WARNING, f"others can get at {directory}", "the next bridge closes it to them"
        )
    else:
        yield Finding(OK, f"{directory} is this user's alone")


def _replaceable(file: Path) -> Iterator[Finding]:
    """What stands in the way of replacing a file; nothing, if nothing does."""
    folder = next(parent for parent in file.parents if parent.exists())
    try:
        # A file without a name, where the system has such: a plugin that watches sees nothing.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        yield Finding(
            PROBLEM,
            f"{folder} can't be written to ({problem.strerror})",
            "give this user the right to, or choose another place",
        )
        return
    status = folder.stat()
    sticky = status.st_mode & stat.S_ISVTX and os.getuid() not in (0, status.st_uid)
    if sticky and file.exists() and file.stat().st_uid != os.getuid():
        yield Finding(
            PROBLEM,
            f"{file} belongs to somebody else, and in {folder} only its owner may replace it",
            "have its owner remove it, or choose another place",
        )
    if shutil.disk_usage(folder).free < _ROOM_BYTES:
        yield Finding(PROBLEM, f"the disk of {folder} is full", "make room there")
