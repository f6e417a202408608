import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import { importModel } from '../../../converter/import-model.ts';
import { seededRandom } from '../../../converter/search/random.ts';

type Tf = typeof Core;
type TfLayers = typeof Layers;
export type Model = Layers.LayersModel;

/** A stored model: `model.json` and its weight files by name. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** Imports a stored model; only the files of the map can be opened. */
export function importFiles(files: Files, inputShapes = new Map<string, readonly number[]>()) {
  return importModel(files.get('model.json')!, {
    fileName: 'model.json',
    inputShapes,
    readExternal: (location, offset, length) => {
      const bytes = files.get(location);
      if (!bytes) throw new Error(`${location} was asked for`);
      return bytes.subarray(offset, length === undefined ? undefined : offset + length);
    },
  });
}

/** What `model.save()` writes, split into several weight files. */
export async function save(model: Model, shardBytes = 1000): Promise<Files> {
  const files = new Map<string, Uint8Array>();
  await model.save({
    async save(artifacts) {
      const data = new Uint8Array(artifacts.weightData as ArrayBuffer);
      const count = Math.max(1, Math.ceil(data.length / shardBytes));
      const paths = Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`);
      for (const [i, path] of paths.entries())
        files.set(path, data.slice(i * shardBytes, (i + 1) * shardBytes));
      const document = {
        format: 'layers-model',
        generatedBy: artifacts.generatedBy,
        convertedBy: null,
        modelTopology: artifacts.modelTopology,
        weightsManifest: [{ paths, weights: artifacts.weightSpecs }],
      };
      files.set('model.json', new TextEncoder().encode(JSON.stringify(document)));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
  return files;
}

/** Gives every weight numbers that matter; variances stay positive. */
export function randomize(tf: Tf, model: Model, seed: number): void {
  const random = seededRandom(seed);
  model.setWeights(
    model.weights.map((weight) => {
      const positive = weight.originalName.includes('variance');
      const shape = weight.shape as number[];
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, () => (positive ? 0.5 + random() : random() - 0.5));
      return tf.tensor(values, shape);
    }),
  );
}

/** Networks that use every kind of layer and option that can be converted. */
export function layerModels(l: TfLayers): ReadonlyMap<string, () => Model> {
  const { layers: k } = l;
  const sequential = (layers: Layers.layers.Layer[]) => () => l.sequential({ layers });
  const functional = (shape: number[], make: (x: Layers.SymbolicTensor) => Layers.SymbolicTensor) => () => {
    const x = l.input({ shape });
    return l.model({ inputs: x, outputs: make(x) });
  };
  const apply = (layer: Layers.layers.Layer, x: Layers.SymbolicTensor | Layers.SymbolicTensor[]) =>
    layer.apply(x) as Layers.SymbolicTensor;
  return new Map<string, () => Model>([
    [
      'an image classifier',
      sequential([
        k.conv2d({
          inputShape: [9, 8, 3],
          filters: 5,
          kernelSize: 3,
          padding: 'same',
          strides: 2,
          activation: 'relu',
        }),
        k.batchNormalization({}),
        k.depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, padding: 'same' }),
        k.reLU({ maxValue: 6 }),
        k.separableConv2d({ filters: 7, kernelSize: 2, activation: 'elu', depthMultiplier: 1 }),
        k.averagePooling2d({ poolSize: 2, strides: 1, padding: 'same' }),
        k.dropout({ rate: 0.3 }),
        k.flatten(),
        k.dense({ units: 6, activation: 'tanh' }),
        k.dense({ units: 4, activation: 'softmax', useBias: false }),
      ]),
    ],
    [
      'a temporal network',
      sequential([
        k.conv1d({ inputShape: [24, 3], filters: 4, kernelSize: 3, padding: 'same', dilationRate: 2 }),
        k.leakyReLU({ alpha: 0.1 }),
        k.maxPooling1d({ poolSize: 2 }),
        k.conv1d({
          filters: 6,
          kernelSize: 3,
          strides: 2,
          padding: 'same',
          activation: 'sigmoid',
          useBias: false,
        }),
        k.batchNormalization({ scale: false, center: false, epsilon: 0.01 }),
        k.globalAveragePooling1d({}),
        k.dense({ units: 3, activation: 'linear' }),
        k.softmax({}),
      ]),
    ],
    [
      'branches that meet',
      functional([6, 6, 4], (x) => {
        const a = apply(k.conv2d({ filters: 4, kernelSize: 1, activation: 'hardSigmoid' }), x);
        const b = apply(
          k.zeroPadding2d({
            padding: [
              [1, 1],
              [2, 0],
            ],
          }),
          x,
        );
        const c = apply(k.conv2d({ filters: 4, kernelSize: 3, activation: 'softsign' }), b);
        const d = apply(
          k.cropping2D({
            cropping: [
              [0, 0],
              [0, 0],
            ],
          }),
          c,
        );
        const sum = apply(k.add(), [a, x, d]);
        const joined = apply(k.concatenate({ axis: -1 }), [sum, apply(k.average(), [a, x])]);
        const most = apply(k.maximum(), [
          joined,
          apply(k.concatenate({ axis: 3 }), [x, apply(k.multiply(), [a, x])]),
        ]);
        return apply(k.globalMaxPooling2d({}), apply(k.minimum(), [most, joined]));
      }),
    ],
    [
      'a shared layer and reshapes',
      functional([12], (x) => {
        const shared = k.dense({ units: 12, activation: 'relu6' });
        const twice = apply(shared, apply(shared, x));
        const table = apply(k.reshape({ targetShape: [3, 4] }), twice);
        const turned = apply(k.permute({ dims: [2, 1] }), table);
        const moved = apply(k.activation({ activation: 'swish' }), turned);
        return apply(k.reshape({ targetShape: [-1] }), moved);
      }),
    ],
    [
      'a model within a model',
      () => {
        const inner = l.sequential({
          name: 'encoder',
          layers: [k.dense({ inputShape: [5], units: 4, activation: 'relu' }), k.dense({ units: 2 })],
        });
        return l.sequential({ layers: [inner, k.dense({ units: 3, activation: 'sigmoid' })] });
      },
    ],
    [
      'several inputs and outputs',
      () => {
        const [a, b] = [l.input({ shape: [4], name: 'left' }), l.input({ shape: [4], name: 'right' })];
        const sum = apply(k.add(), [a, b]);
        const first = apply(k.dense({ units: 2, name: 'first' }), sum);
        const second = apply(k.elu({ name: 'second' }), apply(k.dense({ units: 3 }), b));
        return l.model({ inputs: [a, b], outputs: [first, second] });
      },
    ],
  ]);
}
