"""CURVE keys: this machine's own, those its bridge lets in, and those of bridges it trusts.

A folder holds three files, like ``~/.ssh``:

``secret``
    this machine's secret key, made when it is first needed; the public one follows from it.
``enrolled``
    who may connect to a bridge here, a line each: ``PUBLIC RIGHTS NAME`` (``authorized_keys``).
``bridges``
    the keys of bridges elsewhere, a line each: ``ENDPOINT PUBLIC`` (``known_hosts``).

Keys are written in hex: no character of theirs means anything to a shell, and a double click takes
the whole.
"""

from __future__ import annotations

import zmq
from zmq.utils import z85

from faustwire.endpoint import EndpointError, normal, to_connect
from faustwire.key_folder import KeyFolder
from faustwire.key_lines import (
    KEY_BYTES,
    RIGHTS,
    Enrolled,
    KeyFileError,
    check_name,
    first_field,
    key_from_hex,
    last_field,
    own_name,
    public_key,
    read_bridge,
    read_enrolled,
)

__all__ = ["RIGHTS", "Enrolled", "KeyFileError", "KeyRing", "own_name", "public_key"]


class KeyRing(KeyFolder):
    """The keys in one folder; files are read or written only when they are needed."""

    # -- this machine ----------------------------------------------------------------------------

    def pair(self) -> tuple[bytes, bytes]:
        """This machine's public and secret key, 32 bytes each; made if there are none yet.

        Raises:
            KeyFileError: others could read the secret key, or its file is damaged.
        """
        text = self._read("secret") or self._new_secret()
        secret = key_from_hex(text.strip())
        if secret is None:
            raise KeyFileError(
                f"{self.folder / 'secret'} holds no secret key, which is {2 * KEY_BYTES} hex "
                "digits: restore it, or remove it for a new one, which all others must be told"
            )
        return z85.decode(zmq.curve_public(z85.encode(secret))), secret

    def _new_secret(self) -> str:
        with self._edited("secret") as lines:
            # Another process may have been faster.
            if not lines:
                lines.append(z85.decode(zmq.curve_keypair()[1]).hex())
            return lines[0]

    # -- bridges elsewhere -----------------------------------------------------------------------

    def bridge_key(self, endpoint: str) -> bytes | None:
        """The public key of the bridge at an endpoint; None: none is known."""
        return self.bridges().get(normal(endpoint))

    def bridges(self) -> dict[str, bytes]:
        """The key of each bridge that this machine knows, by endpoint.

        Raises:
            KeyFileError: the file is malformed, or others could read or change it.
        """
        return dict(read_bridge(line, where) for line, where in self._lines("bridges"))

    def trust(self, endpoint: str, public: bytes) -> None:
        """Trust a bridge's key from now on; a key that was trusted before is replaced.

        Args:
            endpoint: where the bridge is connected to.
            public: its public key, 32 bytes.

        Raises:
            KeyFileError: it is not an endpoint, or the file can't be used.
        """
        try:
            place = normal(to_connect(endpoint))
        except EndpointError as problem:
            raise KeyFileError(str(problem)) from problem
        with self._edited("bridges") as lines:
            kept = [line for line in lines if normal(first_field(line)) != place]
            lines[:] = [*kept, f"{place} {public.hex()}"]

    def forget(self, endpoint: str) -> None:
        """Trust no key for an endpoint any more: it is connected to without keys again.

        Args:
            endpoint: where the bridge was connected to.

        Raises:
            KeyFileError: no bridge is known there, or the file can't be used.
        """
        place = normal(endpoint)
        with self._edited("bridges") as lines:
            kept = [line for line in lines if normal(first_field(line)) != place]
            if kept == lines:
                known = ", ".join(self.bridges()) or "none"
                raise KeyFileError(f"no bridge is known at {endpoint}; known are: {known}")
            lines[:] = kept

    # -- who may connect here --------------------------------------------------------------------

    def enrolled(self) -> list[Enrolled]:
        """Who may connect to a bridge of this machine.

        Raises:
            KeyFileError: the file is malformed, or others could read or change it.
        """
        people, problems = self.enrolment()
        if problems:
            raise KeyFileError(problems[0])
        return people

    def enrolment(self) -> tuple[list[Enrolled], list[str]]:
        """Who may connect, and what is wrong with the lines that can't be used.

        Raises:
            KeyFileError: others could read or change the file.
        """
        people: dict[bytes, Enrolled] = {}
        problems = []
        for line, where in self._lines("enrolled"):
            try:
                person = read_enrolled(line, where)
            except KeyFileError as problem:
                problems.append(str(problem))
                continue
            if people.setdefault(person.public, person) is not person:
                problems.append(
                    f"{where}: this key is listed above already: remove one of the lines"
                )
        return list(people.values()), problems

    def enrol(self, name: str, public: bytes | None, rights: frozenset[str]) -> Enrolled:
        """Let a key in, or change its rights; a key that the name had before is replaced.

        Args:
            name: whose key it is; one word. A key that is enrolled already keeps its name: whoever
                suggested the line could not know it.
            public: the key, 32 bytes; None: the one that the name has.
            rights: some of ``RIGHTS``.

        Returns:
            Who is enrolled now.

        Raises:
            KeyFileError: the name or the rights make no sense, or nobody has the name and no key is
                given.
        """
        check_name(name, "not enrolled")
        with self._edited("enrolled") as lines:
            people = self.enrolled()
            if public is None:
                public = next((person.public for person in people if person.name == name), None)
            if public is None:
                raise KeyFileError(
                    f"nobody is enrolled as {name!r}: give the public key too, which `faustwire "
                    "keys` prints on that machine"
                )
            name = next((person.name for person in people if person.public == public), name)
            new = Enrolled(public, name, rights)
            lines[:] = [*(old for old in lines if last_field(old) != name), str(new)]
            return new

    def revoke(self, name: str) -> None:
        """Stop letting a name's key in; a running bridge closes its connections.

        Raises:
            KeyFileError: nobody has that name.
        """
        with self._edited("enrolled") as lines:
            kept = [line for line in lines if last_field(line) != name]
            if kept == lines:
                raise KeyFileError(f"nobody is enrolled as {name!r}: see `faustwire keys list`")
            lines[:] = kept

    def stamp(self) -> tuple[int, ...]:
        """A value that changes when ``enrolled`` does; cheap enough to compare at every message."""
        try:
            status = (self.folder / "enrolled").stat()
        except (OSError, KeyFileError):
            return ()
        # A changed mode counts: nobody is let in by a file that others can write to. Times change
        # by ticks of some milliseconds.
        times = status.st_mtime_ns, status.st_ctime_ns
        return status.st_ino, status.st_mode, status.st_size, *times
