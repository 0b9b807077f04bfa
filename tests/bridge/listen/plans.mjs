/** Plans that tests build in one line. */

/** Numbers from -1 to 1, the same for the same seed. */
export function dice(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
}

/** An orthogonal matrix by Gram-Schmidt, row by row. */
export function orthogonal(size, roll) {
  const rows = Array.from({ length: size }, () => Array.from({ length: size }, roll));
  rows.forEach((row, r) => {
    for (const other of rows.slice(0, r)) {
      const along = row.reduce((sum, x, i) => sum + x * other[i], 0);
      row.forEach((_, i) => (row[i] -= along * other[i]));
    }
    const norm = Math.hypot(...row);
    row.forEach((_, i) => (row[i] /= norm));
  });
  return rows.flat();
}

/** A network of delay lines: lowpasses of the given gain in the loop, one in, one out. */
export function fdn(lines, seed, { gain = 0.95, shortest = 300, longest = 3000, pole = 0.2 } = {}) {
  const roll = dice(seed);
  const span = longest - shortest;
  const values = [
    ...Array.from({ length: lines }, () => roll() / Math.sqrt(lines)),
    ...Array.from({ length: lines }, () => Math.floor(shortest + (span * (roll() + 1)) / 2)),
    // [1 section, 6 coefficients, lines], DC gain `gain`.
    ...[gain * (1 - pole), 0, 0, 1, -pole, 0].flatMap((c) => Array(lines).fill(c)),
    ...orthogonal(lines, roll),
    ...Array.from({ length: lines }, () => roll() / Math.sqrt(lines)),
  ];
  const structure = {
    version: 1, fs: 48000, inputs: 1, outputs: 1, values: values.length,
    graph: {
      type: "series", name: "fdn", nodes: [
        { type: "gain", name: "in", out: lines, in: 1 },
        {
          type: "recursion", name: "loop",
          forward: { type: "delay", name: "lines", out: lines, in: lines, entries: false, gains: false, fractional: false, loop: true },
          feedback: {
            type: "series", name: "back", nodes: [
              { type: "sos", name: "absorption", out: lines, in: lines, entries: false, sections: 1 },
              { type: "gain", name: "matrix", out: lines, in: lines },
            ],
          },
        },
        { type: "gain", name: "out", out: 1, in: lines },
      ],
    },
  };
  return { structure, id: `fdn ${lines}`, values: Float64Array.from(values) };
}

/** One gain on one channel. */
export function gain(value) {
  const graph = { type: "gain", name: "gain", out: 1, in: 1 };
  return { structure: { version: 1, fs: 48000, inputs: 1, outputs: 1, values: 1, graph }, id: "gain", values: Float64Array.of(value) };
}
