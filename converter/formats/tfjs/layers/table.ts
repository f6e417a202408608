import { activations } from './activations.ts';
import { convolutions } from './convolutions.ts';
import { denseAndMerge } from './dense-and-merge.ts';
import type { LowerLayer } from './layer.ts';
import { shapes } from './shapes.ts';

/** Every kind of Keras layer that can be converted, beside InputLayer and models within models. */
export const layerKinds: ReadonlyMap<string, LowerLayer> = new Map(
  Object.entries({ ...denseAndMerge, ...convolutions, ...activations, ...shapes }),
);
