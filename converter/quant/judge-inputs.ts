import type { InputSamples } from '../data/samples.ts';
import { tensorOf } from '../ir/graph.ts';
import type { DType, Graph, Quantization } from '../ir/types.ts';

/** Codes of a type; only quantized inputs are judged. */
const codeRange: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
};

/** Share of values that may lie outside of what an input can hold; calibration leaves out rare ones on purpose. */
const toleratedOutside = 0.01;
/** Data that reach over fewer of the codes than one in so many are of another scale than the calibration data. */
const leastSpan = 1 / 16;
/** Fewer numbers than this say nothing of their spread. */
const fewNumbers = 32;

const short = (x: number) => Number(x.toPrecision(4));

interface Spread {
  readonly min: number;
  readonly max: number;
  readonly outside: number;
}

function spreadOf(data: ArrayLike<number>, low: number, high: number): Spread {
  let [min, max, outside] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (x < min) min = x;
    if (x > max) max = x;
    if (x < low || x > high) outside++;
  }
  return { min, max, outside };
}

function complaint(
  { name, array, count, size }: InputSamples,
  quant: Quantization,
  [lowest, highest]: readonly [number, number],
): string | undefined {
  const [scale, zeroPoint] = [quant.scale[0]!, quant.zeroPoint[0]!];
  const [low, high] = [(lowest - zeroPoint) * scale, (highest - zeroPoint) * scale];
  const data = array.data.subarray(0, count * size);
  const { min, max, outside } = spreadOf(data, low - scale, high + scale);
  const ranges = `the data reach from ${short(min)} to ${short(max)}, the calibration data from ${short(low)} to ${short(high)}`;
  if (outside > toleratedOutside * data.length) {
    const share = ((100 * outside) / data.length).toFixed(1);
    return `input ${name}: ${share} % of the numbers are clipped: ${ranges}; are both scaled alike?`;
  }
  const codes = highest - lowest + 1;
  const span = Math.round((max - min) / scale) + 1;
  if (data.length < fewNumbers || min === max || span >= codes * leastSpan) return undefined;
  return `input ${name} uses ${span} of its ${codes} codes: ${ranges}; are both scaled alike?`;
}

/**
 * What samples show of the scales of a converted graph's inputs, in sentences: real numbers that do not fit into the
 * range that was calibrated, or that use next to nothing of it.
 */
export function judgeInputs(converted: Graph, inputs: readonly InputSamples[]): string[] {
  return converted.inputs.flatMap((port, i) => {
    const { dtype, quant } = tensorOf(converted, port.value).type;
    const range = codeRange[dtype];
    const input = inputs[i]!;
    if (!quant || !range || input.means === 'codes') return [];
    const found = complaint(input, quant, range);
    return found ? [found] : [];
  });
}
