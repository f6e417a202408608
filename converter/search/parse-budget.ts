import { metricNamed } from '../metrics/metric.ts';
import { badLimit, limitGivenTwice, unknownMeasure } from './errors.ts';
import {
  type CostName,
  isQuality,
  type Limit,
  type MeasureName,
  measureNames,
  wantsMore,
} from './measures.ts';

const count = { '': 1, k: 1e3, m: 1e6 };
/** `k` alone is a kibibyte, as linkers and data sheets have it; `kB` is 1000 bytes. */
const bytes = { '': 1, b: 1, k: 1024, kib: 1024, kb: 1000, m: 1_048_576, mib: 1_048_576, mb: 1e6 };
const share = { '': 1, '%': 0.01 };

/** What may stand behind a number, and what it is worth. */
const costUnits: Readonly<Record<CostName, Readonly<Record<string, number>>>> = {
  latency: { us: 1, ms: 1e3, s: 1e6 },
  instructions: count,
  ram: bytes,
  flash: bytes,
};

function unitsOf(measure: MeasureName): Readonly<Record<string, number>> {
  if (!isQuality(measure)) return costUnits[measure as CostName];
  return metricNamed(measure).atMostOne ? share : { '': 1 };
}

const costExamples: Readonly<Record<CostName, string>> = {
  latency: 'latency<5ms or latency<800us',
  instructions: 'instructions<100k',
  ram: 'ram<20k (bytes; k is 1024)',
  flash: 'flash<64k (bytes; k is 1024)',
};

function exampleOf(measure: MeasureName): string {
  if (!isQuality(measure)) return costExamples[measure as CostName];
  if (measure === 'accuracy') return 'accuracy>=0.97 or accuracy>=97%';
  return wantsMore(measure) ? `${measure}>=0.95` : `${measure}<0.01`;
}

const pattern = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*(>=|<=|>|<|=)\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*([A-Za-z%]*)\s*$/;

function parseLimit(text: string): Limit {
  const name = /^\s*([A-Za-z][A-Za-z0-9-]*)?/.exec(text)![1]?.toLowerCase() ?? '';
  const measure = measureNames.find((candidate) => candidate === name);
  if (!measure) throw unknownMeasure(text, name, measureNames);
  const match = pattern.exec(text);
  if (!match) throw badLimit(text, 'it is not a name, a comparison and a number', exampleOf(measure));
  const [, , comparison, number, unit] = match;
  const direction = wantsMore(measure) ? '>' : '<';
  if (comparison !== '=' && !comparison!.startsWith(direction)) {
    throw badLimit(
      text,
      `${measure} has a ${direction === '>' ? 'lower' : 'upper'} limit`,
      exampleOf(measure),
    );
  }
  const factor = unitsOf(measure)[unit!.toLowerCase()];
  if (factor === undefined) {
    const known = Object.keys(unitsOf(measure)).filter((one) => one !== '');
    const what = known.length > 0 ? `units of ${measure} are ${known.join(', ')}` : `${measure} has no unit`;
    throw badLimit(text, what, exampleOf(measure));
  }
  const value = Number(number) * factor;
  if (isQuality(measure) && metricNamed(measure).atMostOne && value > 1) {
    throw badLimit(text, `${measure} is at most 1, or 100%`, exampleOf(measure));
  }
  return { measure, value };
}

/**
 * `accuracy>=0.97,latency<5ms,ram<20k` as limits; `=` stands for the comparison that makes sense, and needs no quotes
 * in a shell. Throws E_BUDGET.
 */
export function parseBudget(text: string): Limit[] {
  const limits: Limit[] = [];
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const limit = parseLimit(part);
    if (limits.some(({ measure }) => measure === limit.measure)) throw limitGivenTwice(text, limit.measure);
    limits.push(limit);
  }
  if (limits.length === 0)
    throw badLimit(
      text,
      'it holds no limit',
      [exampleOf('accuracy'), ...Object.values(costExamples)].join('; '),
    );
  return limits;
}
