/**
 * The model's channels on two: what `codegen/fitting.py` does for the plugin, so that the page
 * sounds as the plugin does.
 *
 * @param {number} inputs of the model
 * @returns {{count: number, feeds: number[]}} how many inputs the program has, and which of them
 *     each of the model's is fed
 */
export function fitInputs(inputs) {
  const count = Math.min(inputs, 2);
  return { count, feeds: Array.from({ length: inputs }, (_, i) => i % count) };
}

/**
 * @param {number} outputs of the model
 * @returns {{channels: number[], gain: number}[]} for left and right: the model's outputs that are
 *     summed, and the factor on their sum
 */
export function fitOutputs(outputs) {
  if (outputs === 1) return [0, 1].map(() => ({ channels: [0], gain: 1 }));
  const all = Array.from({ length: outputs }, (_, o) => o);
  return [0, 1].map((side) => {
    const channels = all.filter((o) => o % 2 === side);
    return { channels, gain: outputs === 2 ? 1 : 1 / Math.sqrt(channels.length) };
  });
}
