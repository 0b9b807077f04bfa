"""A recording decided again: the core fed by hand, with the recorded clock and no sockets.

The same recording through the same version gives the same verdicts and the same programs, to the
byte. What libfaust and the disk said then is said again; how a snapshot sounds is worked out anew.
"""

from faustwire_bridge.offline.again import decide_again
from faustwire_bridge.offline.outcome import FolderError, Outcome

__all__ = ["FolderError", "Outcome", "decide_again"]
