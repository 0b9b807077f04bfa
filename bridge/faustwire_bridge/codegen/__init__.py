"""From a wire graph to Faust text that libfaust compiles fast: pure functions, no I/O."""

from faustwire_bridge.codegen.fitting import ChannelChoice, ChannelError, Channels
from faustwire_bridge.codegen.program import Program, generate
from faustwire_bridge.codegen.written_leaves import WrittenLeaves

__all__ = ["ChannelChoice", "ChannelError", "Channels", "Program", "WrittenLeaves", "generate"]
