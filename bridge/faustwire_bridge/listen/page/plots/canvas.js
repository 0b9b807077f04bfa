/** A canvas that is as sharp as the screen, with the theme's colours and axes. */

const MARGIN = { left: 46, right: 12, top: 10, bottom: 24 };

/**
 * @typedef {object} Axis
 * @property {number} low
 * @property {number} high
 * @property {boolean} [logarithmic]
 * @property {(value: number) => string} [label]
 * @property {string} [unit]
 */

/** One drawing on a canvas: maps values to pixels. */
export class Drawing {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Axis} x
   * @param {Axis} y
   */
  constructor(canvas, x, y) {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.style = getComputedStyle(canvas);
    this.x = x;
    this.y = y;
    this.box = {
      left: MARGIN.left,
      top: MARGIN.top,
      width: Math.max(1, width - MARGIN.left - MARGIN.right),
      height: Math.max(1, height - MARGIN.top - MARGIN.bottom),
    };
  }

  /** @param {string} name of a custom property, without the dashes */
  colour(name) {
    return this.style.getPropertyValue(`--${name}`).trim();
  }

  /** @param {number} value */
  px(value) {
    return this.box.left + this.box.width * part(value, this.x);
  }

  /** @param {number} value */
  py(value) {
    return this.box.top + this.box.height * (1 - part(value, this.y));
  }

  axes() {
    const { context, box } = this;
    context.font = `11px ${this.style.fontFamily}`;
    context.lineWidth = 1;
    context.fillStyle = this.colour("faint");
    context.strokeStyle = this.colour("grid");
    context.textBaseline = "top";
    context.textAlign = "center";
    for (const value of ticks(this.x, Math.max(2, Math.floor(box.width / 80)))) {
      const at = Math.round(this.px(value)) + 0.5;
      this.#stroke(at, box.top, at, box.top + box.height);
      context.fillText(text(value, this.x), at, box.top + box.height + 7);
    }
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const value of ticks(this.y, Math.max(2, Math.floor(box.height / 36)))) {
      const at = Math.round(this.py(value)) + 0.5;
      this.#stroke(box.left, at, box.left + box.width, at);
      context.fillText(text(value, this.y), box.left - 7, at, box.left - 9);
    }
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} toX
   * @param {number} toY
   */
  #stroke(x, y, toX, toY) {
    this.context.beginPath();
    this.context.moveTo(x, y);
    this.context.lineTo(toX, toY);
    this.context.stroke();
  }

  /** Nothing outside the axes. @param {() => void} draw */
  clipped(draw) {
    const { context, box } = this;
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    draw();
    context.restore();
  }

  /**
   * @param {ArrayLike<number>} xs
   * @param {ArrayLike<number | null>} ys
   * @param {{colour: string, width?: number, dash?: number[]}} how
   */
  line(xs, ys, { colour, width = 1.75, dash = [] }) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.setLineDash(dash);
    context.beginPath();
    let drawing = false;
    for (let k = 0; k < xs.length; k++) {
      const y = ys[k];
      if (y === null || y === undefined || !Number.isFinite(y)) {
        drawing = false;
        continue;
      }
      if (drawing) context.lineTo(this.px(xs[k]), this.py(y));
      else context.moveTo(this.px(xs[k]), this.py(y));
      drawing = true;
    }
    context.stroke();
    context.setLineDash([]);
  }

  /** @param {string} said in the middle, when there is nothing to draw */
  empty(said) {
    const { context, box } = this;
    context.font = `13px ${this.style.fontFamily}`;
    context.fillStyle = this.colour("faint");
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(said, box.left + box.width / 2, box.top + box.height / 2, box.width);
  }
}

/**
 * Where a value is along an axis: 0 at its beginning, 1 at its end.
 *
 * @param {number} value
 * @param {Axis} axis
 */
export function part(value, { low, high, logarithmic }) {
  if (logarithmic) return (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
  // By halves, as a difference may be larger than any number.
  return (value / 2 - low / 2) / (high / 2 - low / 2 || 1);
}

/**
 * @param {number} value
 * @param {Axis} axis
 */
function text(value, { label, unit }) {
  return (label ? label(value) : short(value, 4)) + (unit ? ` ${unit}` : "");
}

/**
 * A number for people, which takes little room whatever its size.
 *
 * @param {number} value
 * @param {number} digits that matter
 */
export function short(value, digits) {
  const rounded = +value.toPrecision(digits);
  const plain = String(rounded);
  return (plain.length <= digits + 4 ? plain : rounded.toExponential()).replace("e+", "e");
}

/**
 * Round numbers along an axis.
 *
 * @param {Axis} axis
 * @param {number} count at most about so many
 * @returns {number[]}
 */
export function ticks({ low, high, logarithmic }, count) {
  if (logarithmic) return logarithmicTicks(low, high, count);
  const rough = high / count - low / count || 1 / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  // No more than are wanted: of large numbers the next may be the same one.
  const values = Array.from({ length: count + 1 }, (_, k) => (first + k) * step + 0); // + 0: not -0
  return values.filter((value) => Number.isFinite(value) && value <= high + 1e-9 * step);
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
function logarithmicTicks(low, high, count) {
  const decades = Math.log10(high) - Math.log10(low);
  const within = count / decades >= 3 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil(decades / count));
  const found = [];
  for (let power = stride * Math.floor(Math.log10(low) / stride); power <= Math.log10(high); power += stride) {
    for (const factor of within) {
      const value = factor * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  return found;
}
