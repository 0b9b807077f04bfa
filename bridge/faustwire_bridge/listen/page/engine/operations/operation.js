/** @import { Clock, DelayMemory, Needs, Sheets } from "../block.js" */

/** What most operations have in common: parameters that are read where they stand. */
export class ParameterOperation {
  /**
   * @param {number} cells
   * @param {number[]} writes
   */
  constructor(cells, writes) {
    this.cells = cells;
    this.cell = 0;
    this.writes = writes;
    /** @type {DelayMemory | null} */
    this.fills = null;
    /** @type {Float64Array} */
    this.from = new Float64Array(0);
    /** @type {Float64Array} */
    this.to = this.from;
    /** @type {Float64Array} */
    this.bus = this.from;
    /** Whether what was loaded last reads a past that was not kept. */
    this.lacksPast = false;
  }

  /**
   * @param {Float64Array} values
   * @param {Float64Array} sheet
   * @param {number} rt60
   */
  load(values, sheet, rt60) {
    void [values, sheet, rt60];
  }

  /**
   * @param {Sheets} sheets
   * @returns {boolean}
   */
  prepare(sheets) {
    this.from = sheets.from;
    this.to = sheets.to;
    this.bus = sheets.bus;
    return false;
  }

  settle() {}

  reset() {}

  /** @returns {Needs} */
  needs() {
    return { signals: [], memories: [] };
  }

  /**
   * @param {number} at
   * @param {number} count
   * @param {Clock} clock
   */
  run(at, count, clock) {
    void [at, count, clock];
    throw new Error("an operation that does nothing");
  }
}
