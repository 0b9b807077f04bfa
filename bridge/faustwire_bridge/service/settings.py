"""What a bridge is told when it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from faustwire.key_ring import KeyRing
from faustwire.rendezvous import Rendezvous
from faustwire_bridge.children.compiler import MEMORY_BYTES, TIMEOUT_SECONDS
from faustwire_bridge.core.rules import Rules


@dataclass(frozen=True)
class RecordingSettings:
    """What to record, and where to.

    Attributes:
        target: a file that ends in ``.mcap``, else a folder; no file is overwritten.
        published_only: leave out the snapshots that are not published.
        max_bytes, max_seconds: size and age at which another file is begun.
    """

    target: str
    published_only: bool = False
    max_bytes: int = 2**30
    max_seconds: float = 3600.0


@dataclass(frozen=True)
class Settings:
    """What a bridge is told when it starts.

    Attributes:
        place: the ``.dsp`` and where its workers meet.
        config_path: the plugin's config file.
        rules: how to decide.
        endpoints: ZeroMQ endpoints to bind, beside the local one of ``place``.
        keyring: the keys to ask for at ``endpoints``; None: whoever reaches them may connect.
        insecure: bind endpoints that other machines reach though no keys are asked for.
        compiles: have libfaust check every program.
        faust_libraries: whether the plugin's machine has the Faust libraries.
        compile_timeout: seconds that libfaust may take.
        compile_memory_bytes: address space that it may take.
        recording: what to record, and where to; None: nothing.
        on_ready: is called with the bound endpoints once workers can connect.
    """

    place: Rendezvous
    config_path: str
    rules: Rules = field(default_factory=Rules)
    endpoints: Sequence[str] = ()
    keyring: KeyRing | None = None
    insecure: bool = False
    compiles: bool = True
    faust_libraries: bool = True
    compile_timeout: float = TIMEOUT_SECONDS
    compile_memory_bytes: int = MEMORY_BYTES
    recording: RecordingSettings | None = None
    on_ready: Callable[[list[str]], None] | None = None

    def gates(self) -> dict[str, float | bool | None]:
        """The options that decide which programs are written, by name, as `serve` takes them."""
        limits = self.rules.limits
        return {
            **asdict(limits),
            "max_load": round(100 * limits.max_load, 9),
            "cost_multiple": self.rules.cost_multiple,
            "let_ring": self.rules.let_ring,
            "compile_gate": self.compiles,
            "compile_timeout": self.compile_timeout,
            "faust_libraries": self.faust_libraries,
        }
