"""Which sampling rates a model may be for."""

from __future__ import annotations

# From telephones to sixteen times that of a DVD. What lies outside is a slip, kHz for one, and
# every time that a model states in seconds would be wrong with it.
LOWEST_HZ = 8_000.0
HIGHEST_HZ = 768_000.0


def rate_problem(fs: float) -> str | None:
    """Find what is wrong with a sampling rate.

    Args:
        fs: the rate in Hz, any number.

    Returns:
        What is wrong and what was probably meant, for people; None: it is one of audio.
    """
    if LOWEST_HZ <= fs <= HIGHEST_HZ:
        return None
    meant = f"; for {fs:g} kHz say {fs * 1000:.12g}" if 8 <= fs <= 768 else ""
    return (
        f"a sampling rate of {fs:.12g} Hz is outside the range of audio, "
        f"{LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz{meant}"
    )
