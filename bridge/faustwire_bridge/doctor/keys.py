"""The keys: this machine's own, the bridges it knows, and who may connect here."""

from __future__ import annotations

from collections.abc import Iterator

from faustwire.endpoint import is_unix
from faustwire.key_ring import KeyFileError
from faustwire_bridge.doctor.finding import OK, PROBLEM, WARNING, Check, Finding, Subject


def keys(subject: Subject) -> Iterator[Finding]:
    """The folder of keys and what is in it; nothing is made that is not there."""
    if not subject.keyring.is_there:
        yield Finding(
            OK,
            f"there are no keys ({subject.keyring}); on one machine, or through a tunnel, none are "
            "needed",
        )
        return
    for check in (_own, _known, _enrolled):
        yield from _told(check, subject)


def _told(check: Check, subject: Subject) -> Iterator[Finding]:
    """What is wrong with one file hides nothing about the others."""
    try:
        yield from check(subject)
    except KeyFileError as problem:
        yield Finding(PROBLEM, str(problem))


def _own(subject: Subject) -> Iterator[Finding]:
    if (subject.keyring.folder / "secret").exists():
        yield Finding(OK, f"this machine's public key is {subject.keyring.pair()[0].hex()}")
    else:
        yield Finding(OK, "this machine has no key of its own yet; `faustwire keys` makes it")


def _known(subject: Subject) -> Iterator[Finding]:
    known = subject.keyring.bridges()
    if subject.endpoint and subject.keyring.bridge_key(subject.endpoint) is None:
        yield Finding(
            OK if is_unix(subject.endpoint) else WARNING,
            f"no key is known for {subject.endpoint}, so nothing sent there is encrypted",
            "`faustwire keys` on the bridge's machine prints the line to paste here; the endpoint "
            "has to be written the same way",
        )
    if known:
        yield Finding(OK, f"bridges that are known by their key: {', '.join(sorted(known))}")


def _enrolled(subject: Subject) -> Iterator[Finding]:
    people, problems = subject.keyring.enrolment()
    if people:
        told = "; ".join(f"{each.name} ({', '.join(sorted(each.rights))})" for each in people)
        yield Finding(OK, f"may connect to a bridge here: {told}")
    for problem in problems:
        yield Finding(PROBLEM, problem)
