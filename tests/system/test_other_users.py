"""Another user of the machine, a real one: what it has put where ours looks is left alone.

Only root can begin processes of other users, so elsewhere these are skipped; tests/wire has the
same cases with one user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridges import DEADLINE
from other_user import STRANGER

# Of nobody on any machine, either.
OURS = STRANGER + 1
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can begin processes of other users"
)
MORE = ("watch", "follow latest", "doctor", "a training")
# A program of a user, whose sockets are in a folder of the test's instead of /tmp. All is imported
# before: this Python may be in a folder that is root's alone.
PROGRAM = """
import os, sys
from pathlib import Path
import zmq
from faustwire import rendezvous
def become(user):
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    rendezvous._ROOT = Path(sys.argv.pop(1))
"""
COMMAND = f"""{PROGRAM}
from faustwire_bridge import cli
words = sys.argv[3 : sys.argv.index("--dsp-path")]
cli.main([*words, "--timeout", "0.1", "--endpoint", "tcp://127.0.0.1:9"])
become(int(sys.argv.pop(1)))
sys.exit(cli.main(sys.argv[1:]))
"""
BRIDGE = f"""{PROGRAM}
from faustwire_bridge.service.plugin_files import PluginFiles
become(int(sys.argv.pop(1)))
place = rendezvous.rendezvous(sys.argv[1])
place.prepare()
PluginFiles(place, sys.argv[2]).write("process = 0,0;", rewrite_config=True)
print("written")
"""
TRAINING = f"""{PROGRAM}
from faustwire import HotReload
become(int(sys.argv.pop(1)))
live = HotReload(48000, dsp_path=sys.argv[1], config_path=sys.argv[1] + ".txt", timeout=20.0)
print("published", live.publish("process = 0,0;"))
"""
# Makes the folder first, lets ours into it, and listens where our bridge would.
IMPOSTOR = f"""{PROGRAM}
become(int(sys.argv.pop(1)))
place = rendezvous.rendezvous(sys.argv[1])
directory = rendezvous._ROOT / sys.argv[2]
directory.mkdir(mode=0o700, exist_ok=True)
directory.chmod(0o755)
path = directory / place.socket_path.name
with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
    router.bind(f"ipc://{{path}}")
    path.chmod(0o777)
    print("listens", flush=True)
    print("heard", router.recv_multipart()[1:], flush=True)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder in which everybody may create files, as /tmp is; pytest's own are for one user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(shared: Path) -> Path:
    """Our folder, and a file of ours in it."""
    home = shared / "home"
    home.mkdir(mode=0o755)
    (home / ".bashrc").write_text("our first line\n")
    for path in (home, home / ".bashrc"):
        os.chown(path, OURS, OURS)
    return home


@contextmanager
def running(user: int, program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A program of a user, in a process that is really that user's."""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(user), *map(str, arguments)],
        # The suite's own folder of keys is not for others.
        env={**os.environ, "HOME": str(arguments[0]), "FAUSTWIRE_KEYS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def end_of(process: subprocess.Popen[str], seconds: float = 6 * DEADLINE) -> str:
    """All that it says until it ends, or is ended for taking too long."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


@contextmanager
def impostor(user: int, shared: Path, dsp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A user's program where our bridge would be."""
    with running(user, IMPOSTOR, shared, dsp_path, f"faustwire-{OURS}") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n"
        yield process


@pytest.mark.parametrize("whose", [STRANGER, OURS], ids=["a stranger", "the control"])
@pytest.mark.parametrize(
    "command",
    ["status", *(pytest.param(each, marks=pytest.mark.slow) for each in MORE)],
)
def test_nothing_is_sent_to_a_bridge_of_another_user(
    shared: Path, home: Path, command: str, whose: int
) -> None:
    dsp_path = home / "live.dsp"
    program, arguments = TRAINING, [str(dsp_path)]
    if command != "a training":
        program = COMMAND
        arguments = [*command.split(), "--dsp-path", str(dsp_path), "--timeout", "20"]
    with impostor(whose, shared, dsp_path) as listening:
        with running(OURS, program, shared, *arguments) as ours:
            said = end_of(ours)
        if whose == OURS:
            assert "heard" in end_of(listening, DEADLINE), said
            return
        assert ours.returncode != 0
        assert f"belongs to user {STRANGER}" in said
        assert "published True" not in said
        assert listening.poll() is None, "it is still waiting to hear anything"


def publish(shared: Path, dsp_path: Path, config_path: Path) -> str:
    """What our bridge says that publishes a program to these paths."""
    with running(OURS, BRIDGE, shared, dsp_path, config_path) as bridge:
        return end_of(bridge)


def link(user: int, path: Path, target: Path) -> None:
    path.symlink_to(target)
    os.lchown(path, user, user)


@pytest.mark.parametrize("whose", [STRANGER, OURS], ids=["a stranger", "the control"])
@pytest.mark.parametrize("what", ["dsp", "txt"])
def test_a_link_of_another_user_is_not_followed_to_a_file_of_ours(
    shared: Path, home: Path, what: str, whose: int
) -> None:
    paths = {"dsp": home / "live.dsp", "txt": home / "config.txt"}
    paths[what] = shared / f"live.{what}"
    paths[what].symlink_to(home / ".bashrc")
    os.lchown(paths[what], whose, whose)
    said = publish(shared, paths["dsp"], paths["txt"])
    if whose == OURS:
        assert (home / ".bashrc").read_text() != "our first line\n", said
        return
    assert f"belongs to user {STRANGER}" in said
    assert (home / ".bashrc").read_text() == "our first line\n"
    assert not (home / "live.dsp").exists()


@pytest.mark.parametrize("whose", [STRANGER, OURS], ids=["a stranger", "the control"])
def test_a_file_that_another_user_has_put_there_is_not_written(
    shared: Path, home: Path, whose: int
) -> None:
    """That user could go on writing to it: into what our plugin loads."""
    planted = shared / "live.dsp"
    planted.write_text("")
    os.chown(planted, whose, whose)
    planted.chmod(0o666)
    said = publish(shared, planted, home / "config.txt")
    if whose == OURS:
        assert planted.read_text() == "process = 0,0;", said
        return
    assert f"belongs to user {STRANGER}" in said
    assert planted.read_text() == ""
