"""A peer that sends one message as fast as it is taken, and reads no answer: a program.

python flood.py ENDPOINT KEYS TYPE: TYPE is watch or ping; it goes on until it is killed.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import zmq

from faustwire import codec
from faustwire.curve import secure
from faustwire.key_ring import KeyRing
from faustwire.messages import Ping, ToBridge, Watch

MESSAGES: dict[str, ToBridge] = {"watch": Watch(), "ping": Ping()}


def main() -> None:
    """Flood."""
    endpoint, keys, kind = sys.argv[1:]
    data = codec.encode(MESSAGES[kind])
    with zmq.Context() as context, context.socket(zmq.DEALER) as peer:
        secure(peer, endpoint, KeyRing(keys))
        peer.setsockopt(zmq.LINGER, 0)
        peer.connect(endpoint)
        peer.send(data)
        sys.stdout.write("floods\n")
        sys.stdout.flush()
        while True:
            if not peer.poll(1000, zmq.POLLOUT):
                continue
            with suppress(zmq.Again):
                for _ in range(1000):
                    peer.send(data, zmq.DONTWAIT)


if __name__ == "__main__":
    main()
