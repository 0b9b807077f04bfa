/**
 * Renders plans: `node impulse_responses.mjs FOLDER`, where FOLDER/plans.json lists
 * [{name, structure, samples, rt60}] and FOLDER/N.values, FOLDER/N.response are float64.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { impulseResponses } from "../../../bridge/faustwire_bridge/listen/page/engine/response.js";

const folder = process.argv[2];
const plans = JSON.parse(readFileSync(join(folder, "plans.json"), "utf8"));
plans.forEach(({ name, structure, samples, rt60 }, number) => {
  const bytes = readFileSync(join(folder, `${number}.values`));
  const values = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  try {
    const response = impulseResponses({ structure, id: name, values }, samples, rt60 ?? Infinity);
    writeFileSync(join(folder, `${number}.response`), response);
  } catch (error) {
    throw new Error(`plan ${number}, ${name}`, { cause: error });
  }
});
