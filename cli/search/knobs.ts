import type { ConvertOptions } from '../../converter/convert-model.ts';
import { type CalibrationMethod, calibrationMethods } from '../../converter/quant/choose-range.ts';
import type { Assignment, Knob, KnobValue, Space } from '../../converter/search/space.ts';

/** What an assignment makes of a conversion. */
export interface TrialConversion {
  readonly options: Partial<
    Pick<ConvertOptions, 'quantize' | 'optimize' | 'method' | 'perChannelFullyConnected'>
  >;
  /** Calibration samples to take; absent for all. */
  readonly calibrationSamples?: number;
}

/** One row: what can be chosen, and what the choice does to a conversion. */
interface KnobRow extends Knob {
  readonly apply: (conversion: TrialConversion, value: KnobValue) => TrialConversion;
}

function withOptions(conversion: TrialConversion, options: TrialConversion['options']): TrialConversion {
  return { ...conversion, options: { ...conversion.options, ...options } };
}

const whenInt8 = { knob: 'format', is: ['int8'] } as const;

/** Everything that a search may choose. */
const rows: readonly KnobRow[] = [
  {
    name: 'format',
    values: ['int8', 'float'],
    ordered: false,
    fallback: 'int8',
    apply: (conversion, value) => withOptions(conversion, { quantize: value as 'int8' | 'float' }),
  },
  {
    name: 'optimize',
    values: ['speed', 'size'],
    ordered: false,
    fallback: 'speed',
    apply: (conversion, value) => withOptions(conversion, { optimize: value as 'speed' | 'size' }),
  },
  {
    name: 'calibration',
    values: calibrationMethods,
    ordered: false,
    fallback: 'mse',
    when: whenInt8,
    apply: (conversion, value) => withOptions(conversion, { method: value as CalibrationMethod }),
  },
  {
    name: 'calibrationSamples',
    values: [32, 64, 128, 256, 512],
    ordered: true,
    fallback: 512,
    when: whenInt8,
    apply: (conversion, value) => ({ ...conversion, calibrationSamples: Number(value) }),
  },
  {
    name: 'perChannelFullyConnected',
    values: [true, false],
    ordered: false,
    fallback: true,
    when: whenInt8,
    apply: (conversion, value) => withOptions(conversion, { perChannelFullyConnected: value === true }),
  },
];

/** What of a model and its data decides which knobs there are. */
export interface SpaceFacts {
  /** The model came with its scales, which are kept. */
  readonly quantized: boolean;
  readonly operators: ReadonlySet<string>;
}

function applies(knob: Knob, { quantized, operators }: SpaceFacts): boolean {
  if (quantized) return knob.name === 'optimize';
  return knob.name !== 'perChannelFullyConnected' || operators.has('fullyConnected');
}

export function spaceFor(facts: SpaceFacts): Space {
  return rows.filter((row) => applies(row, facts)).map(({ apply: _, ...knob }) => knob);
}

export function conversionOf(assignment: Assignment): TrialConversion {
  return rows.reduce<TrialConversion>(
    (conversion, row) => {
      const value = assignment[row.name];
      return value === undefined ? conversion : row.apply(conversion, value);
    },
    { options: {} },
  );
}
