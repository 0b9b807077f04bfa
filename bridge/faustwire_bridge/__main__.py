"""``python -m faustwire_bridge`` is ``faustwire``."""

import sys

from faustwire_bridge.cli import main

sys.exit(main())
