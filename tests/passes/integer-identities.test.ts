import { describe, expect, it } from 'vitest';
import type { Attributes, Graph, Node, Value } from '../../converter/ir/types.ts';
import { fuseClamps } from '../../converter/passes/fuse-clamps.ts';
import { removeIntegerIdentities } from '../../converter/passes/remove-integer-identities.ts';
import { sameBytes } from '../support/same-bytes.ts';

const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };

interface Step {
  readonly op: string;
  readonly attrs?: Attributes;
  readonly scale?: number;
  readonly zeroPoint?: number;
}

/** A pointwise convolution and the steps after it, each with scale 0.1 and zero point -20 unless they have their own. */
function chain(activation: string, ...steps: readonly Step[]): Graph {
  const values = new Map<string, Value>();
  const add = (name: string, scale = 0.1, zeroPoint = -20) =>
    values.set(name, {
      name,
      type: { dtype: 'int8', shape: [1, 3, 4, 2], quant: { scale: [scale], zeroPoint: [zeroPoint] } },
    });
  add('x', 0.05, 3);
  values.set('w', {
    name: 'w',
    type: { dtype: 'int8', shape: [2, 1, 1, 2], quant: { scale: [0.02], zeroPoint: [0] } },
    data: Int8Array.of(90, -70, 25, 110),
  });
  values.set('b', {
    name: 'b',
    type: { dtype: 'int32', shape: [2], quant: { scale: [0.001], zeroPoint: [0] } },
    data: Int32Array.of(300, -40),
  });
  add('y');
  const nodes: Node[] = [
    {
      op: 'conv2d',
      inputs: ['x', 'w', 'b'],
      outputs: ['y'],
      attrs: { ...window, activation },
      origin: 'conv',
    },
  ];
  for (const [i, { op, attrs = {}, scale, zeroPoint }] of steps.entries()) {
    add(`s${i}`, scale, zeroPoint);
    nodes.push({
      op,
      inputs: [i === 0 ? 'y' : `s${i - 1}`],
      outputs: [`s${i}`],
      attrs,
      origin: `${op} ${i}`,
    });
  }
  const port = (name: string) => ({ name, value: name, shape: [1, 3, 4, 2] });
  const last = steps.length === 0 ? 'y' : `s${steps.length - 1}`;
  return { name: 'chain', nodes, values, inputs: [port('x')], outputs: [port(last)] };
}

const ops = (graph: Graph) => graph.nodes.map(({ op, attrs }) => `${op} ${attrs['activation'] ?? ''}`.trim());

describe('fuseClamps', () => {
  it.each(['relu', 'relu6', 'reluN1To1'])('%s of the same scale goes into the convolution', (op) => {
    const graph = chain('none', { op });
    const after = fuseClamps(graph);
    expect(ops(after)).toEqual([`conv2d ${op}`]);
    sameBytes(graph, after, 4);
  });

  it('keeps one that changes the scale, and one after another activation', () => {
    for (const graph of [
      chain('none', { op: 'relu', scale: 0.07 }),
      chain('none', { op: 'relu', zeroPoint: -128 }),
      chain('relu', { op: 'relu6' }),
    ])
      expect(ops(fuseClamps(graph))).toEqual(ops(graph));
  });
});

describe('removeIntegerIdentities', () => {
  it('leaves out a requantization to the same scale and a clamp of what is clamped', () => {
    const graph = chain(
      'relu6',
      { op: 'quantize', attrs: { dtype: 'int8' } },
      { op: 'relu' },
      { op: 'tanh' },
    );
    const after = removeIntegerIdentities(graph);
    expect(ops(after)).toEqual(['conv2d relu6', 'tanh']);
    sameBytes(graph, after, 4);
  });

  it('keeps a requantization to another scale, and a clamp that has something to clamp', () => {
    const attrs = { dtype: 'int8' };
    for (const graph of [
      chain('none', { op: 'quantize', attrs, scale: 0.09 }, { op: 'tanh' }),
      chain('none', { op: 'quantize', attrs, zeroPoint: -19 }, { op: 'tanh' }),
      chain('relu', { op: 'relu6' }),
    ])
      expect(ops(removeIntegerIdentities(graph))).toEqual(ops(graph));
  });

  it('keeps a layer for a result that would be an input otherwise', () => {
    const graph = chain('none');
    const value: Value = { ...graph.values.get('x')!, name: 'q' };
    const copy: Node = {
      op: 'quantize',
      inputs: ['x'],
      outputs: ['q'],
      attrs: { dtype: 'int8' },
      origin: 'copy',
    };
    const outputs = [{ name: 'q', value: 'q', shape: value.type.shape }];
    const whole = { ...graph, nodes: [copy], values: new Map([...graph.values, ['q', value]]), outputs };
    expect(ops(removeIntegerIdentities(whole))).toEqual(['quantize']);
  });
});
