"""A message that comes to nothing at the bridge does not hold up those after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from faustwire import codec
from faustwire.messages import Hello, OwnProgram, Ping, Pong, Reason, Verdict, Welcome
from faustwire_publisher import client, connection_thread
from faustwire_publisher.mailbox import Ticket


@contextmanager
def bridge_that_drops(seq: int) -> Iterator[tuple[str, list[int]]]:
    """Answers pings and all messages but one; where it is, and what numbers came to it.

    A real bridge does so only where it has a fault, which no test can rely on.
    """
    came: list[int] = []
    ended = threading.Event()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.LINGER, 0)
    port = router.bind_to_random_port("tcp://127.0.0.1")

    def answer() -> None:
        while not ended.is_set():
            if not router.poll(20):
                continue
            peer, data = router.recv_multipart()
            match codec.decode(data):
                case Hello():
                    reply: Welcome | Pong | Verdict = Welcome(1, "here", "/nowhere.dsp")
                case Ping():
                    reply = Pong()
                case OwnProgram(number):
                    came.append(number)
                    if number == seq:
                        continue
                    reply = Verdict(number, True, Reason.PUBLISHED)
                case _:
                    continue
            router.send_multipart([peer, codec.encode(reply)])

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{port}", came
    finally:
        ended.set()
        thread.join()
        router.close()
        context.term()


def test_a_message_that_is_never_answered_is_sent_again_and_given_up_for_a_newer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in (("_PING", 0.05), ("_RESEND", 0.1), ("_LOST", 0.5)):
        monkeypatch.setattr(connection_thread, f"{name}_SECONDS", seconds)
    tickets = [Ticket(number, lambda number=number: OwnProgram(number, "")) for number in (1, 2)]  # type: ignore[misc]
    with bridge_that_drops(1) as (endpoint, came):
        worker = client.Client(endpoint, Hello("anna", "1"))
        try:
            for ticket in tickets:
                worker.submit(ticket)
                if ticket.seq == 1:
                    assert ticket.wait(0.3) is None
            verdict = tickets[1].wait(10.0)
            assert verdict is not None
            assert verdict.published
            given_up = tickets[0].verdict
            assert given_up is not None
            assert given_up.reason is Reason.SUPERSEDED
        finally:
            worker.close()
    assert came.count(1) >= 3
    assert came[-1] == 2
