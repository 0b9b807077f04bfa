"""Ten changes a second for half a minute, measured on what the page gives to the sound card."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bridges import Plugin, served
from busy_machine import as_idle
from chromium import SOUNDS, Browser, chromium, needs_chromium
from faustwire import codec
from faustwire.graph import Gain, Node, Series
from faustwire.messages import Snapshot
from faustwire_bridge.analysis.transfer import circle, full, transfer
from graphs import fdn
from page_client import listening
from peers import Peer, peer

pytestmark = [needs_chromium, pytest.mark.slow]

_FS = 48_000
_SECONDS = 30
_RATE = 10
_SETTLING = 3.0
# Until what the models before have left is 140 dB down.
_RINGING = 16.0
# A recorder of our own between the page's engine and the sound card.
_RECORDER = """
window.recorded = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...more) {
  if (to instanceof AudioDestinationNode && !window.recorder) {
    const code = `registerProcessor('recorder', class extends AudioWorkletProcessor {
      process([input]) {
        if (input[0]) this.port.postMessage({ frame: currentFrame, samples: input[0].slice() });
        return true;
      }
    })`;
    const link = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
    window.recorder = to.context.audioWorklet.addModule(link).then(() => {
      const node = new AudioWorkletNode(to.context, 'recorder');
      node.port.onmessage = ({ data }) => window.recorded.push(data);
      connect.call(this, node);
      connect.call(node, to);
    });
    // The engine tells how many glides and hand-overs there were.
    this.port.addEventListener('message', ({ data }) => {
      if (data.type === 'levels') window.changes = data.glides + data.handOvers;
    });
  }
  return connect.call(this, to, ...more);
};
"""
# A 250 Hz sine as a file that is chosen on the page; whole numbers are decoded unevenly.
_SINE = """
const fs = 48000, count = fs * 2;
const bytes = new DataView(new ArrayBuffer(44 + 4 * count));
const text = (at, word) => [...word].forEach((c, k) => bytes.setUint8(at + k, c.charCodeAt(0)));
text(0, 'RIFF'); bytes.setUint32(4, 36 + 4 * count, true); text(8, 'WAVEfmt ');
bytes.setUint32(16, 16, true); bytes.setUint16(20, 3, true); bytes.setUint16(22, 1, true);
bytes.setUint32(24, fs, true); bytes.setUint32(28, 4 * fs, true); bytes.setUint16(32, 4, true);
bytes.setUint16(34, 32, true); text(36, 'data'); bytes.setUint32(40, 4 * count, true);
for (let t = 0; t < count; t++) {
  bytes.setFloat32(44 + 4 * t, 0.25 * Math.sin((2 * Math.PI * 250 * t) / fs), true);
}
const chosen = new DataTransfer();
chosen.items.add(new File([bytes.buffer], 'sine.wav', { type: 'audio/wav' }));
const input = document.getElementById('file');
input.files = chosen.files;
input.dispatchEvent(new Event('change'));
"""
_TAKE = """
const taken = window.recorded.splice(0);
const samples = new Float32Array(taken.reduce((sum, { samples }) => sum + samples.length, 0));
let at = 0, gaps = 0, expected = null;
for (const { frame, samples: block } of taken) {
  if (expected !== null && frame !== expected) gaps++;
  expected = frame + block.length;
  samples.set(block, at);
  at += block.length;
}
let text = '';
const bytes = new Uint8Array(samples.buffer);
for (let k = 0; k < bytes.length; k += 32768) {
  text += String.fromCharCode(...bytes.subarray(k, k + 32768));
}
return [btoa(text), gaps];
"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        opened.devtools("Page.enable", {})
        opened.devtools("Page.setBypassCSP", {"enabled": True})
        opened.devtools("Page.addScriptToEvaluateOnNewDocument", {"source": _RECORDER})
        yield opened


def _model(step: int) -> Node:
    """Another matrix each time, large changes of level, and every fourth time of structure."""
    loud = Gain("loud", np.array([[0.02 if step % 2 else 0.06]]))
    return Series("model", (fdn(4 + 2 * (step % 4 == 0), seed=step), loud))


def _message(step: int) -> bytes:
    return codec.encode(Snapshot(step, step, _FS, _model(step)))


def _longest_silence(samples: NDArray[np.float32]) -> float:
    silent = np.concatenate(([False], np.abs(samples) < 1e-5 * np.abs(samples).max(), [False]))
    edges = np.flatnonzero(np.diff(silent.astype(int)))
    runs = edges[1::2] - edges[::2]
    return float(runs.max(initial=0)) / _FS


def _click_db(samples: NDArray[np.float32]) -> float:
    """The loudest 43 ms above 2 kHz beside the RMS of the whole."""
    size = 2048
    window = np.blackman(size)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2]
    spectra = np.abs(np.fft.rfft(frames * window)) ** 2
    above = 2 * spectra[:, -(-2000 * size // _FS) :].sum(axis=1) / (size * (window**2).sum())
    return float(10 * np.log10(above.max() / np.mean(samples.astype(float) ** 2)))


def _deviation_db(samples: NDArray[np.float32], model: Node) -> float:
    """How far what is heard in the end is from the last model's response to the file, exactly."""
    period = _FS // 250
    # As loud as the page makes every file.
    played = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * np.arange(period) / period)
    angles = 2 * np.pi * np.arange(period // 2 + 1) / period
    response = full(transfer(model, circle(0.0, angles), trace=None))[:, 0, 0]
    wanted = np.fft.irfft(np.fft.rfft(played) * response, period)
    heard = samples[-period:].astype(float)
    # When the file began is not known.
    deviations = [np.abs(np.roll(wanted, shift) - heard).max() for shift in range(period)]
    return float(20 * np.log10(min(deviations) / np.abs(wanted).max()))


def _send_ten_a_second(worker: Peer, messages: Sequence[bytes], begun: float) -> None:
    """Send each at its time, or as soon as the last one has its verdict."""
    for number, message in enumerate(messages):
        time.sleep(max(0.0, begun + number / _RATE - time.monotonic()))
        worker.send_bytes(message)
        worker.receive()


def test_ten_changes_a_second_are_heard_without_gap_or_click(
    browser: Browser, plugin: Plugin
) -> None:
    count = _RATE * _SECONDS
    # Where others keep the processors busy, some snapshots are passed over: the newest wins.
    idle = as_idle(1.0) > 0.9
    # All that a training would compute between two publishes is done before.
    messages = [_message(step) for step in range(1, count + 2)]
    with (
        served(plugin, "--no-compile-gate") as bridge,
        listening("--endpoint", bridge.endpoint) as link,
        peer(bridge.endpoint, "anna") as anna,
    ):
        browser.go(link)
        anna.send_bytes(messages[0])
        anna.receive()
        browser.until("return /^step 1/.test(document.getElementById('about-A').textContent)", "1")
        browser.run(_SINE)
        browser.until(SOUNDS, "sound")
        time.sleep(_SETTLING)
        before = browser.run("window.recorded.length = 0; return window.changes")
        begun = time.monotonic()
        _send_ten_a_second(anna, messages[1:], begun)
        lasted = time.monotonic() - begun
        last = f"step {count + 1}"
        browser.until(f"return document.getElementById('about-A').textContent === '{last}'", last)
        text, gaps = browser.run(_TAKE)
        changes = browser.run("return window.changes") - before
        samples = np.frombuffer(base64.b64decode(text), "<f4")
        silence, click = _longest_silence(samples), _click_db(samples)
        time.sleep(_RINGING)
        end = np.frombuffer(base64.b64decode(browser.run(_TAKE)[0]), "<f4")
        deviation = _deviation_db(end, _model(count + 1))
        figures = (
            f"{count} snapshots in {lasted:.2f} s, {changes} glides and hand-overs; "
            f"{len(samples) / _FS:.2f} s of sound, {gaps} gaps; "
            f"longest silence {1000 * silence:.2f} ms, click {click:.1f} dB, "
            f"in the end exact to {deviation:.0f} dB"
        )
        print(figures)
    assert changes >= (0.97 if idle else 0.3) * count, figures
    assert gaps == 0, figures
    assert silence < 0.001, figures
    assert click < -60, figures
    assert deviation < -120, figures
