"""A bridge, on this machine or elsewhere: is it there, does it answer, may we watch it?"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from statistics import median

from faustwire.endpoint import parse, to_connect
from faustwire.errors import FaustwireError
from faustwire.file_path import file_path
from faustwire.messages import Ping, Pong, Rejection, State
from faustwire.rendezvous import Rendezvous, rendezvous
from faustwire.terminal import printable
from faustwire_bridge.doctor.finding import OK, PROBLEM, WARNING, Finding, Subject
from faustwire_bridge.monitor.monitor_socket import UnreachableError
from faustwire_bridge.monitor.target import Target

_PINGS = 5


def local(subject: Subject) -> Iterator[Finding]:
    """The bridge that keeps the ``.dsp`` on this machine."""
    place = rendezvous(file_path(subject.dsp_path, "--dsp-path"))
    target = Target(place.endpoint, place.dsp_path, subject.timeout, subject.keyring)
    pid = _signed(place)
    if not place.socket_path.exists() and (pid is None or not _runs(pid)):
        yield Finding(
            OK, "no bridge runs for this .dsp; a training starts one, or `faustwire serve`"
        )
        return
    try:
        log = f"; its log is {place.log_path}" if place.log_path.exists() else ""
        yield Finding(OK, f"{_described(target.state())}{log}")
    except UnreachableError as problem:
        if pid is None or not _runs(pid):
            yield Finding(
                OK, "no bridge runs for this .dsp; one was killed, and the next cleans up"
            )
            return
        yield Finding(
            PROBLEM,
            f"process {pid} has signed as the bridge of this .dsp and does not answer: {problem}",
            f"let it go on if it was stopped (kill -CONT {pid}), or end it (kill {pid})",
        )


def remote(subject: Subject) -> Iterator[Finding]:
    """The bridge at an endpoint: name, connection, handshake, answer, state; up to what fails."""
    try:
        endpoint = to_connect(subject.endpoint)
    except FaustwireError as problem:
        yield Finding(PROBLEM, str(problem))
        return
    for check in (_address, _connection, _answer, _state):
        for finding in check(replace(subject, endpoint=endpoint)):
            yield finding
            if finding.level == PROBLEM:
                return


def _address(subject: Subject) -> Iterator[Finding]:
    if parse(subject.endpoint).transport == "ipc":
        return
    at = parse(subject.endpoint)
    host, port = at.host, at.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as problem:
        yield Finding(
            PROBLEM,
            f"no address is known for {host} ({problem.strerror})",
            "check how it is spelt, or write its address",
        )
        return
    addresses = ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))
    if addresses != host:
        yield Finding(OK, f"{host} is {addresses}")


def _connection(subject: Subject) -> Iterator[Finding]:
    """The port of the bridge itself; ZeroMQ's own tries hide the reason."""
    if parse(subject.endpoint).transport == "ipc":
        return
    yield _connect(subject.endpoint, subject.timeout, "`faustwire serve --bind …`")


def _connect(endpoint: str, timeout: float, whose: str) -> Finding:
    found = parse(endpoint)
    host, port = found.host, found.port
    begun = time.monotonic()
    try:
        socket.create_connection((host, port), timeout).close()
    except TimeoutError:
        return Finding(
            PROBLEM,
            f"nothing comes back from {host}, port {port}",
            "is that machine on? A firewall, there or on the way, may drop what is sent to the "
            "port: open it for TCP, or go through a tunnel (docs/operations.md)",
        )
    except ConnectionRefusedError:
        return Finding(
            PROBLEM,
            f"nobody listens at {host}, port {port}",
            f"start {whose} there, and the tunnel if there is one",
        )
    except OSError as problem:
        return Finding(
            PROBLEM,
            f"no way leads to {host}: {problem.strerror or problem}",
            "check the address, and this machine's network or VPN",
        )
    return Finding(
        OK, f"{host}, port {port} takes connections ({1000 * (time.monotonic() - begun):.1f} ms)"
    )


def _answer(subject: Subject) -> Iterator[Finding]:
    """A ping without hello: every bridge has an answer to it, and nobody sees a worker come."""
    target = Target(subject.endpoint, None, subject.timeout, subject.keyring)
    times = []
    with closing(target.line()) as connection:
        for _ in range(_PINGS):
            begun = time.monotonic()
            try:
                answer = target.ask_over(connection, Ping())
            except UnreachableError as problem:
                yield Finding(PROBLEM, str(target.trouble(connection) or problem))
                return
            if not isinstance(answer, (Pong, Rejection)):
                yield Finding(PROBLEM, f"{subject.endpoint} answers {printable(answer)[:80]}")
                return
            times.append(time.monotonic() - begun)
        secured = connection.secured
    how = "encrypted" if secured else "in the clear"
    yield Finding(OK, f"a bridge answers, {how}, after {1000 * median(times):.1f} ms")
    if not secured and not parse(subject.endpoint).is_local:
        yield Finding(
            WARNING,
            "whoever is on the way can read and change what is sent",
            "use keys (`faustwire keys`), or a tunnel",
        )


def _state(subject: Subject) -> Iterator[Finding]:
    """What `status` and `watch` see."""
    target = Target(subject.endpoint, None, subject.timeout, subject.keyring)
    try:
        yield Finding(OK, _described(target.state()))
    except UnreachableError as problem:
        yield Finding(
            WARNING,
            f"its state can't be seen: {problem}",
            "training may work all the same; to watch, this machine's key needs that right",
        )


def _described(state: State) -> str:
    there = sum(worker.connected for worker in state.workers)
    plays = f"plays {state.playing_worker}" if state.playing_worker else "has nothing of a worker"
    told = (
        f"pid {state.pid} on {state.host} keeps {state.dsp_path}; {there} "
        f"{'worker' if there == 1 else 'workers'}, {plays}, follows {state.follow}"
    )
    return printable(told)


def _signed(place: Rendezvous) -> int | None:
    """The process that has signed the lock."""
    keeper = place.keeper()
    return None if keeper is None else keeper.pid


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
