import { elementCount } from '../../converter/ir/tensor.ts';
import type { Attributes, Graph, Node, Port, Shape, Value } from '../../converter/ir/types.ts';
import { inferShapes } from '../../converter/passes/infer-shapes.ts';

/** Numbers that are the same in every run: the generator of the golden files, as reals in [-1, 1). */
export function randomFloats(count: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 24) - 128) / 128;
  });
}

/** Builds float graphs for tests, a node a call. */
export class GraphBuilder {
  private readonly values = new Map<string, Value>();
  private readonly nodes: Node[] = [];
  private readonly inputs: Port[] = [];
  private seed = 1;

  input(name: string, shape: Shape): string {
    this.values.set(name, { name, type: { dtype: 'float32', shape } });
    this.inputs.push({ name, value: name, shape });
    return name;
  }

  constant(shape: Shape, data?: ArrayLike<number>): string {
    const name = `constant_${this.values.size}`;
    const elements = data ? Float32Array.from(data) : randomFloats(elementCount(shape), this.seed++);
    this.values.set(name, { name, type: { dtype: 'float32', shape }, data: elements });
    return name;
  }

  node(
    op: string,
    inputs: readonly string[],
    attrs: Attributes = {},
    origin = `${op}_${this.nodes.length}`,
  ): string {
    const output = `value_${this.nodes.length}`;
    this.values.set(output, { name: output, type: { dtype: 'float32', shape: [] } });
    this.nodes.push({ op, inputs, outputs: [output], attrs, origin });
    return output;
  }

  /** Channels-first convolution as ONNX has it: transpose, conv2d, transpose back. */
  convChannelsFirst(x: string, channels: number, filters: number, kernel: number, pad = 0): string {
    const weights = this.constant([filters, kernel, kernel, channels]);
    const bias = this.constant([filters]);
    const moved = this.node('transpose', [x], { perm: [0, 2, 3, 1] });
    const attrs = { strides: [1, 1], dilations: [1, 1], pads: [pad, pad, pad, pad], activation: 'none' };
    return this.node('transpose', [this.node('conv2d', [moved, weights, bias], attrs)], {
      perm: [0, 3, 1, 2],
    });
  }

  finish(...outputs: readonly string[]): Graph {
    const graph: Graph = {
      name: 'test',
      nodes: this.nodes,
      values: this.values,
      inputs: this.inputs,
      outputs: outputs.map((value, i) => ({ name: `output_${i}`, value, shape: [] })),
    };
    const typed = inferShapes(graph);
    const ports = typed.outputs.map((port) => ({ ...port, shape: typed.values.get(port.value)!.type.shape }));
    return { ...typed, outputs: ports };
  }
}
