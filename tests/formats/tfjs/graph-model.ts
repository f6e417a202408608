import { seededRandom } from '../../../converter/search/random.ts';
import type { Files } from './models.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const text = (s: string) => ({ s: base64(s) });
const texts = (...list: string[]) => ({ list: { s: list.map(base64) } });
/** As TensorFlow's JSON has them: 64-bit numbers are text. */
const integers = (...list: number[]) => ({ list: { i: list.map(String) } });

interface NodeJson {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, unknown>>;
}

/** Collects nodes and weights of a graph model as tensorflowjs_converter lays them out. */
export class GraphWriter {
  private readonly nodes: NodeJson[] = [];
  private readonly weights: { name: string; shape: readonly number[]; dtype: string }[] = [];
  private readonly pieces: Uint8Array[] = [];
  private readonly random = seededRandom(17);

  node(name: string, op: string, input: readonly string[], attr: NodeJson['attr'] = {}): string {
    this.nodes.push({ name, op, input, attr });
    return name;
  }

  placeholder(name: string, ...sizes: number[]): string {
    const dim = sizes.map((size) => ({ size: String(size) }));
    return this.node(name, 'Placeholder', [], { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim } } });
  }

  /** A constant of random numbers, all positive where that is asked for. */
  floats(name: string, shape: readonly number[], positive = false): string {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: size }, () => this.random() - (positive ? -0.5 : 0.5));
    return this.store(name, shape, 'float32', new Uint8Array(values.buffer));
  }

  integers(name: string, values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.store(name, shape, 'int32', new Uint8Array(Int32Array.from(values).buffer));
  }

  files(outputs: readonly string[]): Files {
    const signature = { outputs: Object.fromEntries(outputs.map((name) => [name, { name: `${name}:0` }])) };
    const bytes = new Uint8Array(Buffer.concat(this.pieces));
    const cut = Math.floor(bytes.length / 2);
    const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
    const document = {
      format: 'graph-model',
      modelTopology: { node: this.nodes, versions: { producer: 1087 } },
      signature,
      weightsManifest: [{ paths, weights: this.weights }],
    };
    return new Map([
      ['model.json', new TextEncoder().encode(JSON.stringify(document))],
      [paths[0]!, bytes.slice(0, cut)],
      [paths[1]!, bytes.slice(cut)],
    ]);
  }

  private store(name: string, shape: readonly number[], dtype: string, bytes: Uint8Array): string {
    const type = dtype === 'int32' ? 'DT_INT32' : 'DT_FLOAT';
    this.node(name, 'Const', [], { dtype: { type }, value: { tensor: { dtype: type } } });
    this.weights.push({ name, shape, dtype });
    this.pieces.push(bytes);
    return name;
  }
}

const image = { data_format: text('NHWC'), T: { type: 'DT_FLOAT' } };
const window = (padding: string, strides: number, dilations = 1) => ({
  ...image,
  padding: text(padding),
  strides: integers(1, strides, strides, 1),
  dilations: integers(1, dilations, dilations, 1),
});

/** A small image network as grappler leaves it: fused convolutions, a flattening that computes its shape. */
export function imageGraph(): Files {
  const g = new GraphWriter();
  const x = g.placeholder('x', -1, 9, 8, 3);
  const fused = { num_args: { i: '1' }, fused_ops: texts('BiasAdd', 'Relu6') };
  const first = g.node(
    'conv/fused',
    '_FusedConv2D',
    [x, g.floats('conv/w', [3, 3, 3, 6]), g.floats('conv/b', [6])],
    {
      ...window('SAME', 2),
      ...fused,
    },
  );
  const deep = g.node(
    'dw',
    'DepthwiseConv2dNative',
    [first, g.floats('dw/w', [3, 3, 6, 1])],
    window('SAME', 1),
  );
  const norm = g.node(
    'bn',
    'FusedBatchNormV3',
    [deep, g.floats('bn/g', [6]), g.floats('bn/b', [6]), g.floats('bn/m', [6]), g.floats('bn/v', [6], true)],
    { ...image, is_training: { b: false }, epsilon: { f: 0.001 } },
  );
  const leaky = g.node('leaky', 'LeakyRelu', [norm], { alpha: { f: 0.1 } });
  const sum = g.node('sum', 'AddV2', [leaky, first]);
  const padded = g.node('pad', 'Pad', [sum, g.integers('pads', [0, 0, 1, 1, 0, 0, 0, 0], [4, 2])]);
  const explicit = g.node('conv2', 'Conv2D', [padded, g.floats('conv2/w', [2, 2, 6, 4])], {
    ...window('EXPLICIT', 1),
    explicit_paddings: integers(0, 0, 0, 1, 1, 0, 0, 0),
  });
  const biased = g.node('bias', 'BiasAdd', [explicit, g.floats('conv2/b', [4])], image);
  const pooled = g.node('pool', 'MaxPool', [g.node('sig', 'Sigmoid', [biased]), '^x'], {
    ...window('VALID', 2),
    ksize: integers(1, 2, 2, 1),
  });
  const shape = g.node('shape', 'Shape', [pooled]);
  const batch = g.node(
    'batch',
    'StridedSlice',
    [shape, g.integers('zero', [0]), g.integers('one', [1]), g.integers('step', [1])],
    { shrink_axis_mask: { i: '1' } },
  );
  const target = g.node('target', 'Pack', [batch, g.integers('rest', [-1], [])], { axis: { i: '0' } });
  const flat = g.node('flat', 'Reshape', [pooled, target]);
  const dense = g.node(
    'dense',
    '_FusedMatMul',
    [flat, g.floats('dense/w', [24, 5]), g.floats('dense/b', [5])],
    {
      fused_ops: texts('BiasAdd'),
      num_args: { i: '1' },
      transpose_a: { b: false },
      transpose_b: { b: false },
    },
  );
  g.node('probabilities', 'Softmax', [dense]);
  const middle = g.node('mean', 'Mean', [pooled, g.integers('axes', [1, 2])], { keep_dims: { b: false } });
  const scaled = g.node('scaled', 'Mul', [middle, g.floats('factor', [4])]);
  g.node('aside', 'ConcatV2', [scaled, g.node('tanh', 'Tanh', [middle]), g.integers('axis', [-1], [])], {
    N: { i: '2' },
  });
  return g.files(['probabilities', 'aside']);
}

/** A temporal network as TensorFlow writes it: one axis is added around each convolution. */
export function sequenceGraph(): Files {
  const g = new GraphWriter();
  const x = g.placeholder('series', -1, 20, 3);
  const wide = g.node('wide', 'ExpandDims', [x, g.integers('dim', [1], [])]);
  const conv = g.node('conv', 'Conv2D', [wide, g.floats('w', [1, 3, 3, 4])], window('VALID', 1));
  const narrow = g.node('narrow', 'Squeeze', [conv], { squeeze_dims: integers(1) });
  const half = g.node(
    'half',
    'StridedSlice',
    [narrow, g.integers('b', [0, 2, 0]), g.integers('e', [0, 14, 0]), g.integers('s', [1, 3, 1])],
    { begin_mask: { i: '5' }, end_mask: { i: '5' } },
  );
  const turned = g.node('turned', 'Transpose', [half, g.integers('perm', [0, 2, 1])]);
  const same = g.node('same', 'Identity', [turned]);
  const spread = g.node('square', 'Square', [same]);
  const root = g.node('root', 'Sqrt', [g.node('plus', 'AddV2', [spread, g.floats('eps', [], true)])]);
  const ratio = g.node('ratio', 'RealDiv', [same, root]);
  const limited = g.node('limited', 'Minimum', [
    g.node('low', 'Maximum', [ratio, g.floats('a', [4, 1])]),
    g.floats('c', []),
  ]);
  g.node('result', 'Mean', [limited, g.integers('last', [-1])], { keep_dims: { b: true } });
  return g.files(['result']);
}
