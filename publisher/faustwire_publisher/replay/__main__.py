"""The program behind ``faustwire replay``: ``python -m faustwire_publisher.replay JSON``.

The command itself belongs to the bridge, which never imports this package. It parses the command
line and passes one JSON object: the arguments of ``Replay``, and those of ``_play``.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the replay that the JSON object describes; returns the exit code."""
    try:
        # Not at the top: a Ctrl-C while modules are imported ends without a traceback, too.
        from faustwire_publisher.replay.program import run  # noqa: PLC0415

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
