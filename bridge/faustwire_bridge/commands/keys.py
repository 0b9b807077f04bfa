"""``faustwire keys``: this machine's key, who may connect to it, and which bridges it knows."""

from __future__ import annotations

import argparse
import shlex
import socket
import sys
from collections.abc import Callable

from faustwire.errors import FaustwireError
from faustwire.key_ring import RIGHTS, KeyRing, own_name, public_key
from faustwire_bridge.commands import Commands
from faustwire_bridge.commands.help_text import Paragraphs, with_exit_codes

# Printed below each line that enrols a key with the default rights.
_ALL_RIGHTS = (
    "That lets it publish models, and nothing else: for `faustwire status`, `watch` and `follow` "
    "from here, add --rights publish,watch,steer; to publish Faust text of its own, text as well."
)


def add(commands: Commands) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "keys",
        formatter_class=Paragraphs,
        help="keys for bridges and workers on different machines",
        description="Without a command: print this machine's public key, made when there is none "
        "yet, and the lines to paste on the other machine.",
        epilog=with_exit_codes(
            "The files are in ~/.config/faustwire/keys, or where --keys or FAUSTWIRE_KEYS say; "
            "see docs/security.md."
        ),
    )
    _add_folder(parser, None)
    parser.set_defaults(run=_show)
    actions = parser.add_subparsers(metavar="COMMAND")

    enrol = _add(actions, "enrol", _enrol, "let a key connect to the bridge on this machine")
    enrol.add_argument("name", metavar="NAME", help="whose key it is; replaces one of that name")
    enrol.add_argument(
        "public",
        nargs="?",
        metavar="PUBLIC",
        help="as `faustwire keys` prints it there; without it the rights of NAME are changed",
    )
    enrol.add_argument(
        "--rights",
        type=_rights,
        default=frozenset({"publish"}),
        metavar="RIGHT[,…]",
        help=f"some of {', '.join(RIGHTS)} (default: publish, which is not enough for `status`, "
        "`watch`, `follow` and Faust text of one's own)",
    )

    revoke = _add(actions, "revoke", _revoke, "stop letting a key connect, and disconnect it")
    revoke.add_argument("name", metavar="NAME")

    trust = _add(actions, "trust", _trust, "know the bridge at an endpoint by its key")
    trust.add_argument("endpoint", metavar="ENDPOINT", help="for instance tcp://studio:5555")
    trust.add_argument("public", metavar="PUBLIC", help="as `faustwire keys` prints it there")

    forget = _add(actions, "forget", _forget, "forget the key of the bridge at an endpoint")
    forget.add_argument("endpoint", metavar="ENDPOINT", help="for instance tcp://127.0.0.1:5555")

    _add(actions, "list", _list, "print who is enrolled here and which bridges are known")


def _add(
    actions: Commands, name: str, run: Callable[[argparse.Namespace], int], what: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        formatter_class=Paragraphs,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=with_exit_codes(),
    )
    # Not given here: what was given before the action's name stays.
    _add_folder(parser, argparse.SUPPRESS)
    parser.set_defaults(run=run)
    return parser


def _add_folder(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument("--keys", default=default, metavar="DIR", help="the folder of the keys")


def _rights(text: str) -> frozenset[str]:
    rights = frozenset(text.split(","))
    if not rights <= set(RIGHTS):
        raise argparse.ArgumentTypeError(f"{text} is not some of {','.join(RIGHTS)}")
    return rights


def _show(options: argparse.Namespace) -> int:
    own = KeyRing(options.keys).pair()[0].hex()
    host = socket.gethostname()
    _print(
        f"The public key of this machine:\n\n    {own}\n\n"
        "To publish from here, paste this on the machine where the bridge and the plugin run:\n\n"
        f"    faustwire keys enrol {own_name()} {own}\n\n"
        f"{_ALL_RIGHTS}\n\n"
        "If the bridge runs here, paste this where the training runs:\n\n"
        f"    faustwire keys trust tcp://{host}:5555 {own}\n"
    )
    return 0


def _enrol(options: argparse.Namespace) -> int:
    keyring = KeyRing(options.keys)
    public = None if options.public is None else public_key(options.public)
    person = keyring.enrol(options.name, public, options.rights)
    if person.name != options.name:
        _print(
            f"This key is enrolled as {person.name} already, and stays so; for another name, "
            f"`faustwire keys revoke {person.name}` first.\n"
        )
    where = f" {shlex.quote(options.keys)}" if options.keys else ""
    missing = [right for right in RIGHTS if right not in options.rights]
    more = f" (not {' or '.join(missing)}: --rights {','.join(RIGHTS)})" if missing else ""
    _print(
        f"{person.name} may now {_spoken(options.rights)}{more}. A bridge that runs with keys "
        "knows at once; if none does:\n\n"
        f"    faustwire serve --keys{where} --bind 'tcp://*:5555'\n\n"
        f"For {person.name} to know this bridge, paste this there:\n\n"
        f"    faustwire keys trust tcp://{socket.gethostname()}:5555 {keyring.pair()[0].hex()}\n"
    )
    return 0


def _revoke(options: argparse.Namespace) -> int:
    KeyRing(options.keys).revoke(options.name)
    _print(f"{options.name} may no longer connect; a running bridge has closed its connections.")
    return 0


def _trust(options: argparse.Namespace) -> int:
    keyring = KeyRing(options.keys)
    keyring.trust(options.endpoint, public_key(options.public))
    _print(
        f"The bridge at {options.endpoint} is known. If it does not know this machine yet, paste "
        "this there:\n\n"
        f"    faustwire keys enrol {own_name()} {keyring.pair()[0].hex()}\n\n"
        f"{_ALL_RIGHTS}\n\n"
        f"Then train with HotReload(…, endpoint={options.endpoint!r}), or with\n\n"
        f"    FAUSTWIRE_ENDPOINT={options.endpoint} python train.py\n"
    )
    return 0


def _forget(options: argparse.Namespace) -> int:
    KeyRing(options.keys).forget(options.endpoint)
    _print(
        f"No key is known for {options.endpoint} any more: a bridge there is connected to without "
        "keys, unless it wants them."
    )
    return 0


def _list(options: argparse.Namespace) -> int:
    """Print who is enrolled first, so that a bad line elsewhere does not hide it."""
    keyring = KeyRing(options.keys)
    _print(f"{keyring.folder}\n\nMay connect to a bridge here:")
    people, problems = keyring.enrolment()
    _print("".join(f"    {person}\n" for person in people) or "    nobody\n")
    _print("Bridges that are known here:")
    known = keyring.bridges()
    _print("".join(f"    {at} {key.hex()}\n" for at, key in known.items()) or "    none\n")
    if problems:
        raise FaustwireError("; ".join(problems))
    return 0


def _spoken(rights: frozenset[str]) -> str:
    *others, last = [right for right in RIGHTS if right in rights]
    return f"{', '.join(others)} and {last}" if others else last


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
