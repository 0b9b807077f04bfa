"""The sockets that a bridge listens on, and what may connect to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import zmq

from faustwire import codec
from faustwire.errors import FaustwireError
from faustwire.rendezvous import Rendezvous

# Messages a peer may have waiting. A worker sends one and waits; pings and resends come on top.
_RECEIVE_HIGH_WATER_MARK = 16
# A worker that never reads its verdicts is not worth more memory than this many.
_SEND_HIGH_WATER_MARK = 64
_HANDSHAKE_MS = 2000
_HEARTBEAT_MS = 2000


class BindError(FaustwireError, RuntimeError):
    """An endpoint that the bridge can't, or had better not, listen on."""


@contextmanager
def router(place: Rendezvous, endpoints: Sequence[str]) -> Iterator[zmq.Socket[bytes]]:
    """A ROUTER that is bound nowhere yet; the local socket's file goes with it."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made = context.socket(zmq.ROUTER)
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.ROUTER_MANDATORY, 1)
    made.setsockopt(zmq.MAXMSGSIZE, codec.MAX_BYTES)
    made.setsockopt(zmq.RCVHWM, _RECEIVE_HIGH_WATER_MARK)
    made.setsockopt(zmq.SNDHWM, _SEND_HIGH_WATER_MARK)
    made.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    made.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    made.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * _HEARTBEAT_MS)
    if any("[" in endpoint for endpoint in endpoints):
        made.setsockopt(zmq.IPV6, 1)
    try:
        yield made
    finally:
        # Verdicts on their way get a moment; a worker that is gone does not hold us up.
        made.close(linger=200)
        context.term()
        place.socket_path.unlink(missing_ok=True)


def bind(router: zmq.Socket[bytes], place: Rendezvous, endpoints: Sequence[str]) -> list[str]:
    """Listen; returns the endpoints with the ports that were taken."""
    bound = []
    for endpoint in (*endpoints, place.endpoint):
        try:
            router.bind(endpoint)
        except zmq.ZMQError as problem:
            raise BindError(
                f"can't listen on {endpoint}: {problem.strerror}; choose another --bind"
            ) from problem
        bound.append(router.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"))
    return bound


def check_endpoint(endpoint: str, *, insecure: bool) -> None:
    """Raise BindError for an endpoint that is none, or that had better not be listened on."""
    transport, _, address = endpoint.partition("://")
    if transport not in ("tcp", "ipc") or not address:
        raise BindError(f"{endpoint!r} is no endpoint: write tcp://127.0.0.1:5555 or ipc:///a/path")
    if transport == "ipc":
        return
    host, _, port = address.rpartition(":")
    # libzmq takes a port modulo 65536.
    if not port.isdigit() or int(port) > 65535:
        raise BindError(f"{endpoint!r} has no port from 0 to 65535; 0 takes a free one")
    if insecure:
        return
    host = host.strip("[]")
    if host not in ("localhost", "::1") and not host.startswith("127."):
        raise BindError(
            f"{endpoint} can be reached from other machines, and whoever reaches it decides what "
            "the plugin plays: bind tcp://127.0.0.1:… (and tunnel, for instance with ssh -L), or "
            "say --insecure on a network that you trust"
        )
