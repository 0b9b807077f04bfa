/** Samples that are computed at a time: an AudioWorklet's render quantum. */
export const BLOCK = 128;

/** States below this become 0 (-600 dB): denormal numbers cost up to a hundred times as much. */
export const SILENT = 1e-30;

/**
 * Where a network stands in time, as its operations see it.
 *
 * @typedef {object} Clock
 * @property {number} time samples since the network began, at the start of the block
 * @property {number} weight of the newer values at the start of the block, 0 … 1
 * @property {number} step by which the weight grows each sample; 0: nothing glides
 */

/**
 * One step of a block's computation. Signals are stretches of BLOCK samples on the network's bus,
 * named by the offset of their first sample.
 *
 * @typedef {object} Operation
 * @property {number} cells how many parameters it keeps on the network's two sheets of them
 * @property {number} cell where they start; the network says so
 * @property {(values: Float64Array, sheet: Float64Array, rt60: number) => void} load
 *     takes its parameters from a plan's values; rt60 in samples, Infinity: no attenuation
 * @property {(network: Sheets) => boolean} prepare
 *     after a load: notes what has changed; whether it needs signals that it did not need before
 * @property {() => void} settle the newer parameters are the only ones now
 * @property {() => void} reset forgets what it heard
 * @property {() => Needs} needs
 * @property {number[]} writes the signals that it makes
 * @property {DelayMemory | null} fills the memory that it writes into
 * @property {boolean} lacksPast whether what was loaded last reads a past that was not kept
 * @property {(at: number, count: number, clock: Clock) => void} run
 */

/**
 * What an operation needs before it can run.
 *
 * @typedef {object} Needs
 * @property {number[]} signals
 * @property {{memory: DelayMemory, delay: number}[]} memories and how many samples back
 */

/**
 * Anything that is written in one operation and read in another.
 *
 * @typedef {object} DelayMemory
 * @property {() => void} reset
 */

/**
 * The parameters of all operations, the older and the newer ones, and the signals.
 *
 * @typedef {object} Sheets
 * @property {Float64Array} from
 * @property {Float64Array} to
 * @property {Float64Array} bus
 * @property {Clock} clock
 */
