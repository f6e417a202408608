import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TinymlError } from '../../../common/tinyml-error.ts';
import { evaluateFloat } from '../../../converter/evaluate/float.ts';
import { importOnnx } from '../../../converter/formats/onnx/import.ts';
import { supportedOnnxOps } from '../../../converter/formats/onnx/supported-ops.ts';
import { oraclePython, runOracle } from '../../support/oracle.ts';

const python = oraclePython();

interface PackedArray {
  readonly shape: readonly number[];
  readonly data: string;
}

interface NodeTest {
  readonly name: string;
  readonly model: string;
  readonly inputs: readonly PackedArray[];
  readonly outputs: readonly PackedArray[];
}

/** Why ONNX's own tests of operators that are converted may be refused; anything else is a failure. */
const refusals: readonly RegExp[] = [
  /its input has [25] axes; one or two spatial axes are possible/,
  /its windows are dilated/,
  /its output number 2 is used/,
  /it is in training mode/,
  /inputs are computed by the network; only constants are possible/,
  /the network computes its (weights|exponents|slopes|scale)/,
  /it (de)?quantizes in blocks/,
  /its scale has \d+ elements; one is possible/,
  /it stores (activations as )?int(16|32)/,
  /its alpha is 2; only 1 is possible/,
  /it repeats a computed value/,
  /its constant is a stack of matrices/,
  /its indices are not equally spaced/,
  /its mode is "(edge|reflect|wrap)"/,
  /its exponents differ between elements/,
  /it reduces axes .*; only all spatial axes are possible/,
  /it runs backwards along an axis/,
  /nothing is left of its input/,
  /Pow cannot be evaluated/,
  /its bounds are int8, not float/,
  /constant "[ax]" is u?int8/,
  /it reduces an empty tensor/,
  /opset 1; 7 to 22/,
  /it pads with -Infinity/,
  // Masks of attention.
  /holds NaN or infinite values/,
  /uses GatherElements/,
  // Empty tensors.
  /would have shape \[[0-9,]*\b0\b/,
  /has shape \[2,\?,4\], which leaves axis 1 open/,
  /cannot be split into \[0,0,0\]/,
  /Reshape to \[3,4,0\]/,
  // Shape and Size of an input are constants.
  /does not depend on any input/,
];

function floats({ data }: PackedArray): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(data, 'base64')).buffer);
}

function close(a: number, b: number, tolerance: number): boolean {
  return Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
}

/** Its result is stored integers, which are real numbers in a float graph; quantized.test.ts judges those. */
const storesIntegers = 'test_quantizelinear computed';

/** 'passed', the text of a refusal, or what is wrong with the result. */
async function outcome(problem: NodeTest): Promise<{ refused?: string; wrong?: string }> {
  const imported = importOrRefuse(problem);
  if (imported instanceof TinymlError) return { refused: imported.message };
  const { graph } = imported;
  // What they compute in half precision is computed in float32 here.
  const tolerance = /fp16|float16/.test(problem.name) ? 1e-3 : 1e-4;
  const results = await evaluateFloat(graph, problem.inputs.map(floats), 1);
  for (const [i, expected] of problem.outputs.entries()) {
    const { shape } = graph.outputs[i]!;
    if (shape.join() !== expected.shape.join()) return { wrong: `shape ${shape} for ${expected.shape}` };
    const values = floats(expected);
    const at = values.findIndex((value, k) => !close(results[i]![k]!, value, tolerance));
    if (at >= 0) return { wrong: `element ${at} is ${results[i]![at]}, not ${values[at]}` };
  }
  return {};
}

function importOrRefuse({ name, model }: NodeTest) {
  try {
    return importOnnx(Buffer.from(model, 'base64'), { fileName: name });
  } catch (error) {
    if (error instanceof TinymlError) return error;
    throw error;
  }
}

describe.skipIf(!python)(`ONNX's own tests${python ? '' : ' (no oracle Python)'}`, () => {
  test('every operator that is converted gives their results or refuses with a known reason', async () => {
    const program = readFileSync(join(import.meta.dirname, 'node-tests.py'), 'utf8');
    const lines = runOracle(
      python!,
      program,
      supportedOnnxOps.map(({ op }) => op),
    )
      .trim()
      .split('\n');
    const wrong: string[] = [];
    const reasons = new Set<RegExp>();
    let passed = 0;
    for (const line of lines) {
      const problem = JSON.parse(line) as NodeTest;
      if (problem.name === storesIntegers) continue;
      const result = await outcome(problem);
      const reason = refusals.find((pattern) => result.refused && pattern.test(result.refused));
      if (reason) reasons.add(reason);
      else if (result.refused ?? result.wrong)
        wrong.push(`${problem.name}: ${result.refused ?? result.wrong}`);
      else passed++;
    }
    expect(wrong).toEqual([]);
    expect(refusals.filter((reason) => !reasons.has(reason))).toEqual([]);
    expect(passed).toBeGreaterThan(1080);
  });
});
