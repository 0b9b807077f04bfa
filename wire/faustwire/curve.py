"""CURVE on sockets: who encrypts, and who proves with which key who it is."""

from __future__ import annotations

from typing import Any

import zmq

from faustwire.key_ring import KeyRing


def secure(client: zmq.Socket[Any], endpoint: str, keyring: KeyRing) -> bool:
    """Have a client's socket encrypt and prove who it is, where the bridge's key is known.

    Args:
        client: a socket that is not connected yet.
        endpoint: the bridge's, as it was trusted.
        keyring: this machine's keys.

    Returns:
        Whether the bridge's key is known. If not, the socket is left as it is, and a bridge that
        serves with keys will not let it in.

    Raises:
        KeyFileError: a file of keys can't be used.
    """
    bridge = keyring.bridge_key(endpoint)
    if bridge is None:
        return False
    use_as_client(client, keyring.pair(), bridge)
    return True


def use_as_client(client: zmq.Socket[Any], pair: tuple[bytes, bytes], bridge: bytes) -> None:
    """Have a socket connect with a pair of keys, to a bridge of this key only.

    Args:
        client: a socket that is not connected yet.
        pair: public and secret key, 32 bytes each or 40 characters of Z85 each.
        bridge: the bridge's public key, in the same form.
    """
    client.setsockopt(zmq.CURVE_PUBLICKEY, pair[0])
    client.setsockopt(zmq.CURVE_SECRETKEY, pair[1])
    client.setsockopt(zmq.CURVE_SERVERKEY, bridge)


def use_as_server(server: zmq.Socket[Any], secret: bytes) -> None:
    """Have a socket accept connections only with keys that an authenticator allows.

    Args:
        server: a socket that is not bound yet.
        secret: the bridge's secret key, 32 bytes.
    """
    server.setsockopt(zmq.CURVE_SECRETKEY, secret)
    server.setsockopt(zmq.CURVE_SERVER, 1)
    server.setsockopt(zmq.ZAP_DOMAIN, b"faustwire")
    # Without it libzmq lets every key in when no authenticator answers.
    server.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
