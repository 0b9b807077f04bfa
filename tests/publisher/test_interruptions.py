"""Calls in the middle of calls, and in forks: none ever blocks on a lock that nobody will release.

Each runs in a process of its own, so that one that hangs is ended and told.
"""

from __future__ import annotations

import pytest

from bridges import Plugin
from training_scripts import trained


@pytest.mark.slow
@pytest.mark.parametrize("wait", [True, False])
def test_update_in_a_signal_handler_does_not_hang_and_publishes(plugin: Plugin, wait: bool) -> None:
    """Signals come while ``update`` runs, wherever that is at the moment."""
    told = trained(
        plugin,
        """
        handled = 0

        def handler(*_):
            global handled
            knob.step()
            live.update(knob.model, force=True)
            handled += 1

        signal.signal(signal.SIGUSR1, handler)
        live.update(knob.model)
        live.flush()
        over = threading.Event()

        def send():
            sent = 0
            while not over.wait(0.003):
                if sent == handled:
                    sent += 1
                    os.kill(os.getpid(), signal.SIGUSR1)

        sender = threading.Thread(target=send)
        sender.start()
        while handled < 100:
            live.update(knob.model)
        over.set()
        sender.join()
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        knob.set(0.65625)
        live.update(knob.model, force=True)
        live.close()
        print(live.last.reason)
        """,
        wait=wait,
    )
    assert told == "published\n"
    assert "0.65625" in plugin.program()


@pytest.mark.slow
def test_a_handler_may_publish_the_last_state_close_and_leave(plugin: Plugin) -> None:
    """What a SLURM preemption or a SIGTERM asks for."""
    trained(
        plugin,
        """
        def handler(*_):
            knob.set(0.65625)
            live.update(knob.model, force=True)
            live.close()
            sys.exit(0)

        signal.signal(signal.SIGTERM, handler)
        live.update(knob.model)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        while True:
            knob.step()
            live.update(knob.model)
        """,
    )
    assert "0.65625" in plugin.program()


@pytest.mark.slow
def test_a_fork_in_the_middle_of_another_threads_update_is_told(plugin: Plugin) -> None:
    told = trained(
        plugin,
        """
        live.update(knob.model)
        over = threading.Event()

        def train():
            while not over.is_set():
                knob.step()
                live.update(knob.model)

        trainer = threading.Thread(target=train)
        trainer.start()
        for _ in range(12):
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                for call in (lambda: live.update(knob.model), live.flush, live.close):
                    try:
                        call()
                        os._exit(1)
                    except ForkError:
                        pass
                os._exit(0)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        over.set()
        trainer.join()
        live.close()
        """,
    )
    assert told.split() == ["0"] * 12
