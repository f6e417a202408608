import { badLimit, limitGivenTwice, unknownMeasure } from './errors.ts';
import { isQuality, type Limit, type MeasureName, measureNames, wantsMore } from './measures.ts';

const count = { '': 1, k: 1e3, m: 1e6 };
/** `k` alone is a kibibyte, as linkers and data sheets have it; `kB` is 1000 bytes. */
const bytes = { '': 1, b: 1, k: 1024, kib: 1024, kb: 1000, m: 1_048_576, mib: 1_048_576, mb: 1e6 };
const share = { '': 1, '%': 0.01 };

/** What may stand behind a number, and what it is worth. */
const units: Readonly<Record<MeasureName, Readonly<Record<string, number>>>> = {
  accuracy: share,
  auc: share,
  mse: { '': 1 },
  latency: { us: 1, ms: 1e3, s: 1e6 },
  instructions: count,
  ram: bytes,
  flash: bytes,
};

const examples: Readonly<Record<MeasureName, string>> = {
  accuracy: 'accuracy>=0.97 or accuracy>=97%',
  auc: 'auc>=0.95',
  mse: 'mse<0.01',
  latency: 'latency<5ms or latency<800us',
  instructions: 'instructions<100k',
  ram: 'ram<20k (bytes; k is 1024)',
  flash: 'flash<64k (bytes; k is 1024)',
};

const pattern = /^\s*([A-Za-z]+)\s*(>=|<=|>|<|=)\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*([A-Za-z%]*)\s*$/;

function parseLimit(text: string): Limit {
  const name = /^\s*([A-Za-z]*)/.exec(text)![1]!.toLowerCase();
  const measure = measureNames.find((candidate) => candidate === name);
  if (!measure) throw unknownMeasure(text, name, measureNames);
  const match = pattern.exec(text);
  if (!match) throw badLimit(text, 'it is not a name, a comparison and a number', examples[measure]);
  const [, , comparison, number, unit] = match;
  const direction = wantsMore(measure) ? '>' : '<';
  if (comparison !== '=' && !comparison!.startsWith(direction)) {
    throw badLimit(
      text,
      `${measure} has a ${direction === '>' ? 'lower' : 'upper'} limit`,
      examples[measure],
    );
  }
  const factor = units[measure][unit!.toLowerCase()];
  if (factor === undefined) {
    const known = Object.keys(units[measure]).filter((one) => one !== '');
    const what = known.length > 0 ? `units of ${measure} are ${known.join(', ')}` : `${measure} has no unit`;
    throw badLimit(text, what, examples[measure]);
  }
  const value = Number(number) * factor;
  if (isQuality(measure) && measure !== 'mse' && value > 1) {
    throw badLimit(text, `${measure} is at most 1, or 100%`, examples[measure]);
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
  if (limits.length === 0) throw badLimit(text, 'it holds no limit', Object.values(examples).join('; '));
  return limits;
}
