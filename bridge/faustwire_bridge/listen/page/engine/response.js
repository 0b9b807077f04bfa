import { BLOCK } from "./block.js";
import { Network } from "./network.js";

/** @import { Plan } from "./plan.js" */

/**
 * The response of every output of a plan to a unit impulse at every input.
 *
 * @param {Plan} plan
 * @param {number} samples
 * @param {number} [rt60] seconds, Infinity: as trained
 * @returns {Float64Array} [outputs, inputs, samples]
 */
export function impulseResponses(plan, samples, rt60 = Infinity) {
  const network = new Network(plan, rt60);
  const { inputs, outputs, bus } = network;
  const responses = new Float64Array(inputs.length * outputs.length * samples);
  inputs.forEach((_, i) => {
    network.reset();
    for (let begin = 0; begin < samples; begin += BLOCK) {
      for (const input of inputs) bus.fill(0, input, input + BLOCK);
      if (begin === 0) bus[inputs[i]] = 1;
      network.process();
      const count = Math.min(BLOCK, samples - begin);
      outputs.forEach((output, o) => {
        const place = (o * inputs.length + i) * samples + begin;
        responses.set(bus.subarray(output, output + count), place);
      });
    }
  });
  return responses;
}
