"""Files of keys: who may read them, what stands in them, and what is said when they are wrong."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from faustwire.curve import secure
from faustwire.key_ring import Enrolled, KeyFileError, KeyRing, public_key

BOX, STUDIO = bytes(range(32)), bytes(range(32, 64))
PUBLISH = frozenset({"publish"})


@pytest.fixture
def keyring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


def written(keyring: KeyRing, name: str, text: str, mode: int = 0o600) -> Path:
    keyring.folder.mkdir(mode=0o700, exist_ok=True)
    path = keyring.folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_pair_is_made_once_and_is_one(keyring: KeyRing) -> None:
    public, secret = keyring.pair()
    assert z85.decode(zmq.curve_public(z85.encode(secret))) == public
    assert KeyRing(keyring.folder).pair() == (public, secret)


def test_all_files_are_for_this_user_alone_whatever_the_umask(keyring: KeyRing) -> None:
    before = os.umask(0)
    try:
        keyring.pair()
        keyring.enrol("box", BOX, PUBLISH)
        keyring.trust("tcp://studio:5555", STUDIO)
    finally:
        os.umask(before)
    assert mode(keyring.folder) == 0o700
    files = sorted(keyring.folder.iterdir())
    assert [file.name for file in files] == ["bridges", "enrolled", "secret"]
    assert {mode(file) for file in files} == {0o600}


def test_processes_that_need_a_pair_at_once_get_the_same(keyring: KeyRing) -> None:
    with ThreadPoolExecutor(8) as pool:
        pairs = set(pool.map(lambda _: KeyRing(keyring.folder).pair(), range(8)))
    assert len(pairs) == 1


def test_nobody_is_lost_when_many_are_enrolled_at_once(keyring: KeyRing) -> None:
    def enrol(number: int) -> None:
        KeyRing(keyring.folder).enrol(f"box-{number}", bytes([number]) * 32, PUBLISH)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enrol, range(20)))
    assert len(keyring.enrolled()) == 20


@pytest.mark.parametrize("name", ["secret", "enrolled", "bridges"])
def test_a_file_that_others_can_get_at_is_refused_with_the_command(
    keyring: KeyRing, name: str
) -> None:
    use = {"secret": keyring.pair, "enrolled": keyring.enrolled, "bridges": keyring.bridges}[name]
    path = written(keyring, name, "", 0o640)
    with pytest.raises(KeyFileError, match=re.escape(f"chmod 600 {path}")):
        use()
    path.chmod(0o600)
    keyring.folder.chmod(0o750)
    with pytest.raises(KeyFileError, match=re.escape(f"chmod 700 {keyring.folder}")):
        use()


def test_nothing_secret_is_written_where_others_can_get_at_it(keyring: KeyRing) -> None:
    keyring.folder.mkdir(mode=0o755)
    with pytest.raises(KeyFileError, match="chmod 700"):
        keyring.pair()
    assert list(keyring.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{BOX.hex()} publish", "is not `PUBLIC RIGHTS NAME`"),
        (f"{BOX.hex()[:-1]} publish box", "is not a public key"),
        (
            f"{BOX.hex()} publish,fly box",
            "'fly' is not a right; the rights are publish, watch, steer",
        ),
        (f"{BOX.hex()} publish a/b", "can't be a name"),
    ],
)
def test_a_malformed_line_is_told_with_its_number_and_lets_nobody_in(
    keyring: KeyRing, line: str, problem: str
) -> None:
    good = Enrolled(STUDIO, "anna", frozenset({"watch"}))
    path = written(keyring, "enrolled", f"# people\n\n{line}\n{good}\n")
    with pytest.raises(KeyFileError, match=re.escape(f"line 3 of {path}")) as told:
        keyring.enrolled()
    assert problem in str(told.value)
    assert keyring.enrolment() == ([good], [str(told.value)])
    with pytest.raises(KeyFileError, match="line 3"):
        keyring.enrol("carl", bytes(32), PUBLISH)


def test_a_key_that_stands_twice_counts_as_it_stands_first(keyring: KeyRing) -> None:
    first = Enrolled(BOX, "anna", PUBLISH)
    second = Enrolled(BOX, "berta", frozenset({"steer"}))
    written(keyring, "enrolled", f"{first}\n{second}\n")
    people, problems = keyring.enrolment()
    assert people == [first]
    assert "line 2" in problems[0]


@pytest.mark.parametrize("line", ["tcp://studio:5555", "studio abc", f"studio {BOX.hex()}"])
def test_a_malformed_bridge_is_told_with_its_number(keyring: KeyRing, line: str) -> None:
    written(keyring, "bridges", f"{line}\n")
    with pytest.raises(KeyFileError, match=r"line 1 of .* is not `ENDPOINT PUBLIC`"):
        keyring.bridge_key("tcp://studio:5555")


@pytest.mark.parametrize("text", ["", "00", "\0" * 70, "ü" * 64])
def test_a_damaged_secret_key_is_never_replaced_by_itself(keyring: KeyRing, text: str) -> None:
    path = written(keyring, "secret", text or "\n")
    with pytest.raises(KeyFileError, match=re.escape(str(path))):
        keyring.pair()


def test_enrolling_again_replaces_and_revoking_removes_but_comments_stay(keyring: KeyRing) -> None:
    written(keyring, "enrolled", "# the machine upstairs\n")
    keyring.enrol("box", BOX, PUBLISH)
    keyring.enrol("anna", bytes(32), PUBLISH)
    keyring.enrol("box", STUDIO, frozenset({"watch", "publish"}))
    assert [str(person) for person in keyring.enrolled()] == [
        f"{bytes(32).hex()} publish anna",
        f"{STUDIO.hex()} publish,watch box",
    ]
    keyring.revoke("box")
    with pytest.raises(KeyFileError, match="nobody is enrolled as 'box'"):
        keyring.revoke("box")
    assert [person.name for person in keyring.enrolled()] == ["anna"]
    assert (keyring.folder / "enrolled").read_text().startswith("# the machine upstairs\n")


def test_a_key_has_one_name_and_a_name_is_one_word(keyring: KeyRing) -> None:
    keyring.enrol("box", BOX, PUBLISH)
    assert keyring.enrol("other", BOX, PUBLISH).name == "box"
    for name in ("", "a b", "a/b", "-x", "#x", "ü", "x" * 65):
        with pytest.raises(KeyFileError, match="can't be a name"):
            keyring.enrol(name, STUDIO, PUBLISH)
    assert len(keyring.enrolled()) == 1


def test_every_change_of_who_is_enrolled_shows(keyring: KeyRing) -> None:
    stamps = [keyring.stamp()]
    keyring.enrol("box", BOX, PUBLISH)
    stamps.append(keyring.stamp())
    (keyring.folder / "enrolled").chmod(0o640)
    stamps.append(keyring.stamp())
    (keyring.folder / "enrolled").chmod(0o600)
    keyring.revoke("box")
    stamps.append(keyring.stamp())
    assert len(set(stamps)) == len(stamps)


def test_a_bridge_is_known_by_its_endpoint(keyring: KeyRing) -> None:
    assert keyring.bridge_key("tcp://studio:5555") is None
    keyring.trust("tcp://studio:5555", BOX)
    keyring.trust("tcp://Studio:5555", STUDIO)
    assert keyring.bridge_key("tcp://STUDIO:5555") == STUDIO
    assert keyring.bridge_key("tcp://studio:5556") is None
    with pytest.raises(KeyFileError, match="is not an endpoint"):
        keyring.trust("studio", BOX)


def test_a_public_key_is_taken_in_hex_or_in_z85_and_nothing_else() -> None:
    assert public_key(f" {BOX.hex().upper()}\n") == BOX
    assert public_key(z85.encode(BOX).decode()) == BOX
    for text in ("", "abc", BOX.hex()[1:], "~" * 40, "ü" * 40, " " * 64):
        with pytest.raises(KeyFileError, match="is not a public key"):
            public_key(text)


def test_a_socket_is_secured_where_the_bridge_is_known_and_left_alone_elsewhere(
    keyring: KeyRing,
) -> None:
    keyring.trust("tcp://studio:5555", STUDIO)
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        assert not secure(socket, "tcp://elsewhere:5555", keyring)
        assert not (keyring.folder / "secret").exists()
        assert socket.getsockopt(zmq.MECHANISM) == zmq.NULL
        assert secure(socket, "tcp://studio:5555", keyring)
        assert socket.getsockopt(zmq.MECHANISM) == zmq.CURVE


def test_the_folder_is_the_one_given_or_the_environments_or_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAUSTWIRE_KEYS", str(tmp_path / "a"))
    assert KeyRing().folder == tmp_path / "a"
    assert KeyRing(tmp_path / "b").folder == tmp_path / "b"
    monkeypatch.delenv("FAUSTWIRE_KEYS")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert KeyRing().folder == tmp_path / ".config" / "faustwire" / "keys"


def faustwire(*arguments: str, keys: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faustwire_bridge", *arguments, "--keys", str(keys)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_two_pasted_lines_connect_two_machines(tmp_path: Path) -> None:
    """What the command prints on one side is run on the other by a shell, as people paste it."""
    studio, box = tmp_path / "studio", tmp_path / "box"

    def paste(line: str, keys: Path) -> str:
        script = line.replace("faustwire", f"{sys.executable} -m faustwire_bridge", 1)
        done = subprocess.run(
            ["sh", "-c", f"{script} --keys {keys}"], capture_output=True, text=True, check=True
        )
        return done.stdout

    shown = faustwire("keys", keys=box).stdout
    enrol = next(line.strip() for line in shown.splitlines() if " enrol " in line)
    answer = paste(enrol, studio)
    paste(next(line.strip() for line in answer.splitlines() if " trust " in line), box)

    [person] = KeyRing(studio).enrolled()
    assert person.public == KeyRing(box).pair()[0]
    assert person.rights == PUBLISH
    assert list(KeyRing(box).bridges().values()) == [KeyRing(studio).pair()[0]]
    listed = faustwire("keys", "list", keys=studio).stdout
    assert str(person) in listed


def test_what_is_wrong_is_one_sentence_and_exit_code_64(tmp_path: Path) -> None:
    done = faustwire("keys", "enrol", "box", "abc", keys=tmp_path / "keys")
    assert done.returncode == 64
    assert "'abc' is not a public key" in done.stderr
    assert "Traceback" not in done.stderr


def without_home(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the program says where neither HOME nor the list of users names a home directory."""
    script = """
import os, pwd, sys
def nobody(uid):
    raise KeyError(uid)
pwd.getpwuid = nobody
for name in ("HOME", "FAUSTWIRE_KEYS", "FAUSTWIRE_ENDPOINT"):
    os.environ.pop(name, None)
if sys.argv[1] == "-c":
    exec(sys.argv[2])
else:
    from faustwire_bridge.cli import main
    sys.exit(main(sys.argv[1:]))
"""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("command", ["status", "doctor"])
@pytest.mark.parametrize("endpoint", [(), ("--endpoint", "tcp://127.0.0.1:9")])
def test_without_a_home_directory_there_are_no_keys(
    command: str, endpoint: tuple[str, ...], tmp_path: Path
) -> None:
    where = endpoint or ("--dsp-path", str(tmp_path / "live.dsp"))
    done = without_home(command, *where, "--timeout", "0.5")
    assert "Traceback" not in done.stderr
    if command == "doctor":
        assert "there are no keys (no home directory)" in done.stdout
    else:
        assert done.returncode == 69


@pytest.mark.slow
def test_without_a_home_directory_a_training_goes_on_and_keys_say_what_to_do() -> None:
    done = without_home(
        "-c",
        "import warnings; warnings.simplefilter('ignore')\n"
        "from faustwire import HotReload\n"
        "with HotReload(48000, endpoint='tcp://127.0.0.1:9', timeout=0.5) as live:\n"
        "    print(live.publish('process = _,_;'), live.last.reason)",
    )
    assert done.stdout == "False no-bridge\n", done.stderr
    done = without_home("keys")
    assert done.returncode == 64
    assert "name a folder with --keys or FAUSTWIRE_KEYS" in done.stderr


def test_a_bridge_that_is_forgotten_is_connected_to_without_keys(keyring: KeyRing) -> None:
    keyring.trust("tcp://127.0.0.1:5555", STUDIO)
    keyring.trust("tcp://studio:5555", BOX)
    keyring.forget("tcp://127.0.0.1:5555")
    assert list(keyring.bridges()) == ["tcp://studio:5555"]
    with pytest.raises(KeyFileError, match=r"no bridge is known at .*; known are: tcp://studio"):
        keyring.forget("tcp://127.0.0.1:5555")


def test_the_lines_that_are_printed_say_what_they_leave_out_and_work_under_any_name(
    tmp_path: Path,
) -> None:
    shown = faustwire("keys", keys=tmp_path / "box").stdout
    assert "for `faustwire status`, `watch` and `follow`" in shown
    faustwire("keys", "enrol", "upstairs", BOX.hex(), keys=tmp_path / "keys")
    # As printed on the other machine, which does not know how it is called here.
    done = faustwire(
        "keys", "enrol", "gpu-box", BOX.hex(), "--rights", "publish,watch", keys=tmp_path / "keys"
    )
    assert "enrolled as upstairs already, and stays so" in done.stdout
    [person] = KeyRing(tmp_path / "keys").enrolled()
    assert (person.name, set(person.rights)) == ("upstairs", {"publish", "watch"})
    # As the bridge suggests, which knows the name.
    faustwire("keys", "enrol", "upstairs", "--rights", "publish,steer", keys=tmp_path / "keys")
    assert KeyRing(tmp_path / "keys").enrolled()[0].rights == {"publish", "steer"}
    nobody = faustwire("keys", "enrol", "downstairs", keys=tmp_path / "keys")
    assert (nobody.returncode, "give the public key too" in nobody.stderr) == (64, True)


def test_the_command_forgets_a_bridge(tmp_path: Path) -> None:
    KeyRing(tmp_path).trust("tcp://127.0.0.1:5555", STUDIO)
    done = faustwire("keys", "forget", "tcp://127.0.0.1:5555", keys=tmp_path)
    assert (done.returncode, KeyRing(tmp_path).bridges()) == (0, {}), done.stderr
    assert faustwire("keys", "forget", "tcp://127.0.0.1:5555", keys=tmp_path).returncode == 64
