"""How far a response is from the room that it should become."""

from __future__ import annotations

import numpy as np
import torch
from flamo.processor import system
from numpy.typing import NDArray

from demo.fdn import NFFT
from demo.rooms import FS, Room

_WINDOW, _HOP = 2048, 1024
_BANDS = 24
# Below, a tail is not heard for what came before.
_FLOOR_DB = -45.0


class RoomLoss:
    """Decay in dB, smoothness and level of a response, in one number.

    The decay is compared as an energy decay relief (Jot 1992): Schroeder's backward integral in
    each of 24 bands. The smoothness is what keeps it from ringing: no partial sticks out of the
    spectrum, and every line of the network feeds every other.
    """

    def __init__(self, room: Room) -> None:
        edges = np.geomspace(90.0, 18_000.0, _BANDS + 1)
        hz = np.fft.rfftfreq(_WINDOW, 1 / FS)
        bands = (hz >= edges[:-1, None]) & (hz < edges[1:, None])
        self._bands = torch.tensor(bands, dtype=torch.float32)
        target = _target_db(room.target_at(np.sqrt(edges[:-1] * edges[1:])))
        self._target_db = torch.tensor(target, dtype=torch.float32)
        self._window = torch.hann_window(_WINDOW)

    def __call__(self, response: torch.Tensor, model: system.Shell) -> dict[str, torch.Tensor]:
        """The parts of the loss, and their weighted sum as ``loss``.

        Args:
            response: [NFFT, channels].
            model: whose response it is.
        """
        decay_db = self._decay_error_db(response)
        peaks_db = _peakiness_db(response)
        level_db = 10 * torch.log10(response.square().sum())
        separate = _separation(model)
        loss = decay_db + 0.5 * peaks_db + 4.0 * separate + 0.1 * level_db.abs()
        return {"loss": loss, "decay_db": decay_db, "peaks_db": peaks_db, "separation": separate}

    def _decay_error_db(self, response: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(
            response.T, _WINDOW, _HOP, window=self._window, return_complex=True, center=False
        )
        energy = torch.einsum("bf,cft->bt", self._bands, spectrum.abs().square())
        remaining = energy.flip(-1).cumsum(-1).flip(-1)
        remaining_db = 10 * torch.log10(remaining / remaining[:, :1] + 1e-9)
        heard = self._target_db > _FLOOR_DB
        return (remaining_db - self._target_db)[heard].abs().mean()


def _target_db(rt60_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The energy decay that an ideal exponential decay has in each band: [bands, frames]."""
    frames = 1 + (NFFT - _WINDOW) // _HOP
    seconds = np.arange(frames) * _HOP / FS
    energy = 10 ** (-6 * seconds / rt60_seconds[:, None])
    remaining = energy[:, ::-1].cumsum(axis=1)[:, ::-1]
    decay_db: NDArray[np.float64] = 10 * np.log10(remaining / remaining[:, :1])
    return decay_db


def _peakiness_db(response: torch.Tensor) -> torch.Tensor:
    """How far spectral peaks stand above the median; 0 for a diffuse field, more when it rings.

    The mean of a diffuse field's power is 2.5 dB above the mean of its logarithm (Schroeder 1962).
    """
    power = torch.fft.rfft(response, dim=0).abs().square() + 1e-12
    usable = power[100 * NFFT // FS : 16_000 * NFFT // FS]
    blocks = usable[: len(usable) // 512 * 512].reshape(-1, 512, power.shape[-1])
    ratio_db = 10 * torch.log10(blocks.mean(1)) - (10 * torch.log10(blocks)).mean(1)
    return torch.relu(ratio_db.mean() - 2.5)


def _separation(model: system.Shell) -> torch.Tensor:
    """1 when no line feeds another, 0 when each feeds all the same: FLAMO's sparsity loss."""
    mixing = model.get_core().loop.feedback.mixing
    matrix = mixing.map(mixing.param)
    lines = matrix.shape[-1]
    spread: torch.Tensor = (matrix.abs().sum() - lines) / (lines * (lines**0.5 - 1))
    return 1 - spread
