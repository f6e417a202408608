import type { Value } from '../../../ir/types.ts';
import type { LayerBuilder } from '../builder.ts';
import type { Fields } from '../json.ts';

/** A layer of Keras as its lowering sees it. */
export interface KerasLayer {
  readonly kind: string;
  readonly config: Fields;
  readonly inputs: readonly Value[];
  readonly build: LayerBuilder;
  /** The weights of a name. Throws E_TFJS_WEIGHTS where there are none. */
  weight(name: string): Value;
}

/** What one kind of layer becomes. */
export type LowerLayer = (layer: KerasLayer) => Value;

/** The input of a layer that has one. */
export function only({ inputs, build, kind }: KerasLayer): Value {
  if (inputs.length !== 1) throw build.refuse(kind, `it has ${inputs.length} inputs`);
  return inputs[0]!;
}

export function channelsLast({ config, build, kind }: KerasLayer): void {
  const format = config.text('data_format', 'channels_last');
  if (format !== 'channels_last')
    throw build.refuse(kind, `its data_format is ${format}; only channels_last is possible`);
}
