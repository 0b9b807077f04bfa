"""Who may connect to the listener with keys: CURVE, and ZeroMQ's requests for each key (ZAP).

libzmq asks at every handshake, over a socket inside the process, and refuses the connection without
an answer. The whole is tested at each start, with a key that nobody has enrolled.

pyzmq has an authenticator as well, but with coroutines or a thread, and without rights; the bridge
has one poller, and a request has six frames.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from faustwire.curve import use_as_client, use_as_server
from faustwire.errors import FaustwireError
from faustwire.key_ring import KeyRing
from faustwire_bridge.core.events import User

_log = logging.getLogger("faustwire.bridge")

# Version and codes of ZAP, https://rfc.zeromq.org/spec/27.
_VERSION, _YES, _NO = b"1.0", b"200", b"400"
_ENDPOINT = "inproc://zeromq.zap.01"
# A bridge that starts on a busy machine is not to be refused.
_TEST_SECONDS = 5.0
_BATCH = 64
# Unknown keys must fill neither the log nor the memory.
_MOST_LOGGED = 100


class AuthenticatorError(FaustwireError, RuntimeError):
    """Unknown keys could connect to the listener with keys, so it is not opened."""


class Authenticator:
    """Answers for each key whether it may connect, from who is enrolled at that moment.

    Attributes:
        socket: becomes readable when libzmq asks; then call ``answer``.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keyring: KeyRing) -> None:
        """Begin to answer; make it before any socket is bound that ``protect`` has seen.

        Args:
            context: of the sockets to protect.
            keyring: the bridge's own keys, and who is enrolled.

        Raises:
            KeyFileError: the keys can't be used.
        """
        self._keyring = keyring
        self._public, self._secret = keyring.pair()
        self._users: dict[bytes, User] = {}
        self._stamp: tuple[int, ...] | None = None
        # A key that tries again and again is logged once.
        self._logged: set[bytes] = set()
        self.refresh()
        self.socket = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ENDPOINT)

    def refresh(self) -> frozenset[str]:
        """Read who is enrolled, if that has changed.

        Returns:
            Names of the users that have lost a right; whoever is connected must authenticate again.
        """
        stamp = self._keyring.stamp()
        if stamp == self._stamp:
            return frozenset()
        try:
            users = self._read()
        except OSError as problem:
            # No file descriptor left, for instance: what was read last holds until that is over.
            _log.error("who is enrolled can't be read: %s", problem)
            return frozenset()
        before, self._users, self._stamp = self._users, users, stamp
        self._logged.clear()
        _log.info("enrolled", extra={"names": " ".join(u.name for u in self._users.values())})
        return frozenset(user.name for key, user in before.items() if self._has_lost(key, user))

    def _has_lost(self, key: bytes, before: User) -> bool:
        now = self._users.get(key)
        return now is None or now.name != before.name or not before.rights <= now.rights

    def _read(self) -> dict[bytes, User]:
        try:
            people, problems = self._keyring.enrolment()
        except (FaustwireError, PermissionError) as problem:
            # Whoever can change that file could enrol anybody.
            people, problems = [], [str(problem)]
        for line in problems:
            _log.error("a line that enrols nobody: %s", line)
        if not people:
            _log.warning(
                "nobody is enrolled yet: run `faustwire keys` where the training runs, and here "
                "the line that it prints"
            )
        return {person.public: User(person.name, person.rights) for person in people}

    def protect(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket a CURVE server that asks this authenticator.

        Args:
            socket: bound nowhere yet.
        """
        use_as_server(socket, self._secret)

    def answer(self) -> None:
        """Answer the requests of libzmq, at most a batch of them in one go."""
        for _ in range(_BATCH):
            if not self.socket.poll(0):
                return
            version, request, *question = self.socket.recv_multipart()
            user = self._allowed(question) if version == _VERSION else None
            code, key = (_NO, b"") if user is None else (_YES, question[-1].hex().encode())
            self.socket.send_multipart([_VERSION, request, code, b"", key, b""])

    def _allowed(self, question: list[bytes]) -> User | None:
        _domain, _address, _identity, mechanism, *credentials = question
        if mechanism != b"CURVE" or len(credentials) != 1:
            return None
        user = self._users.get(credentials[0])
        if user is None:
            self._log_refusal(credentials[0])
        return user

    def _log_refusal(self, key: bytes) -> None:
        if key in self._logged or len(self._logged) >= _MOST_LOGGED:
            return
        self._logged.add(key)
        _log.warning("an unknown key; if you know whose: faustwire keys enrol NAME %s", key.hex())

    def user(self, frame: zmq.Frame) -> User | None:
        """Look up whose key a message came with.

        Args:
            frame: of the message.

        Returns:
            The user with its present rights; None: nobody has that key any more.
        """
        try:
            return self._users.get(bytes.fromhex(str(frame.get("User-Id"))))
        except ValueError:
            return None

    def test(self, endpoint: str) -> None:
        """Make sure that unknown keys can't connect to a socket that was bound for this test.

        Args:
            endpoint: where it is bound.

        Raises:
            AuthenticatorError: one could connect, or there was no answer.
        """
        public, secret = zmq.curve_keypair()
        self._logged.add(z85.decode(public))
        for with_key in (True, False):
            with closing(self.socket.context.socket(zmq.DEALER)) as client:
                client.setsockopt(zmq.LINGER, 0)
                if with_key:
                    use_as_client(client, (public, secret), self._public)
                outcome = self._attempt(client, endpoint)
            if outcome == zmq.Event.HANDSHAKE_SUCCEEDED:
                raise AuthenticatorError(
                    "the self-test got in without a key that is enrolled, so the bridge does not "
                    "serve: reinstall pyzmq, and please report this"
                )
            if with_key and outcome != zmq.Event.HANDSHAKE_FAILED_AUTH:
                raise AuthenticatorError(
                    "the self-test of the keys got no answer, so the bridge does not serve: is "
                    "this machine overloaded? If it happens again, please report it"
                )

    def _attempt(self, client: zmq.Socket[bytes], endpoint: str) -> int:
        """The event that ends a client's first attempt to connect; 0: none within the time."""
        events = zmq.Event.HANDSHAKE_SUCCEEDED
        events |= zmq.Event.HANDSHAKE_FAILED_AUTH | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
        events |= zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
        monitor = client.get_monitor_socket(events)
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(monitor, zmq.POLLIN)
        client.connect(endpoint)
        end = time.monotonic() + _TEST_SECONDS
        try:
            while time.monotonic() < end:
                ready = dict(poller.poll(100))
                if self.socket in ready:
                    self.answer()
                if monitor in ready:
                    return int(recv_monitor_message(monitor)["event"])
            return 0
        finally:
            client.disable_monitor()
            monitor.close(linger=0)
