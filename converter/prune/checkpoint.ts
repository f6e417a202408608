import type { Graph, Value } from '../ir/types.ts';
import type { PruneState } from './prune-model.ts';

/** Version of the form below; a file of another one is not used. */
const form = 1;

type Encoded = readonly [kind: 'float32' | 'int32', base64: string];

function encode(data: Float32Array | Int32Array): Encoded {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return [data instanceof Float32Array ? 'float32' : 'int32', bytes.toString('base64')];
}

function decode([kind, base64]: Encoded): Float32Array | Int32Array {
  const { buffer } = Uint8Array.from(Buffer.from(base64, 'base64'));
  return kind === 'float32' ? new Float32Array(buffer) : new Int32Array(buffer);
}

/** Text of a checkpoint; `key` names the run that it belongs to. */
export function writeCheckpoint(state: PruneState, key: string): string {
  const { graph, adam, unit } = state;
  const values = [...graph.values.values()].map((value) => ({
    ...value,
    ...(value.data ? { data: encode(value.data as Float32Array) } : {}),
  }));
  const moments = [...adam.moments].map(([name, { mean, square }]) => [name, encode(mean), encode(square)]);
  return JSON.stringify({
    form,
    key,
    unit,
    graph: { ...graph, values },
    adam: { steps: adam.steps, moments },
  });
}

/** Whether a text is a checkpoint, of whatever run. */
export function isCheckpoint(text: string): boolean {
  return /^\{"form":\d+,"key":"/.test(text);
}

interface CheckpointText {
  readonly form: number;
  readonly key: string;
  readonly unit: number;
  readonly graph: Omit<Graph, 'values'> & {
    readonly values: readonly (Omit<Value, 'data'> & { readonly data?: Encoded })[];
  };
  readonly adam: { readonly steps: number; readonly moments: readonly [string, Encoded, Encoded][] };
}

/** The state in a checkpoint of the run `key`; undefined where the text is damaged or belongs to another run. */
export function readCheckpoint(text: string, key: string): PruneState | undefined {
  try {
    const saved = JSON.parse(text) as CheckpointText;
    if (saved.form !== form || saved.key !== key) return undefined;
    const values = saved.graph.values.map(
      (value): Value => ({
        name: value.name,
        type: value.type,
        ...(value.data ? { data: decode(value.data) } : {}),
      }),
    );
    const moments = saved.adam.moments.map(
      ([name, mean, square]) =>
        [name, { mean: decode(mean) as Float32Array, square: decode(square) as Float32Array }] as const,
    );
    return {
      unit: saved.unit,
      graph: { ...saved.graph, values: new Map(values.map((value) => [value.name, value])) },
      adam: { steps: saved.adam.steps, moments: new Map(moments) },
    };
  } catch {
    return undefined;
  }
}
