import { internalInvalidGraph } from './errors.ts';
import { tensorOf } from './graph.ts';
import { elementCount, sameShape } from './tensor.ts';
import type { AttributeValue, Graph, Node, Port, TensorType, Value } from './types.ts';

/**
 * What a graph may hold after each stage. `imported`: known operators on resolved values; `typed`: types agree
 * with shape inference; `quantized`: no float between operators other than quantize and dequantize;
 * `exportable`: nothing is left that no target can express.
 */
export type Stage = 'imported' | 'typed' | 'quantized' | 'exportable';

/** What verification needs to know of an operator, so that the IR does not depend on the list of them. */
export interface OpRules {
  /** A complaint about the attributes, or undefined. */
  attributes(node: Node): string | undefined;
  /** Result types by shape inference. */
  infer(node: Node, inputs: readonly TensorType[]): readonly TensorType[];
  isKnown(op: string): boolean;
}

const highestRank = 8;

function fail(stage: Stage, what: string): never {
  throw internalInvalidGraph(`${what} (stage ${stage})`);
}

function checkValue(stage: Stage, value: Value): void {
  const name = JSON.stringify(value.name.slice(0, 80));
  const { shape, quant } = value.type;
  if (shape.length > highestRank) fail(stage, `value ${name} has ${shape.length} axes`);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    fail(stage, `value ${name} has shape [${shape}]`);
  if (value.data && value.data.length !== elementCount(shape)) {
    fail(stage, `constant ${name} has ${value.data.length} elements for shape [${shape}]`);
  }
  if (!quant) return;
  const expected = quant.axis === undefined ? 1 : shape[quant.axis];
  if (quant.scale.length !== expected || quant.zeroPoint.length !== expected) {
    fail(stage, `value ${name} has ${quant.scale.length} scales`);
  }
  if (!quant.scale.every((scale) => Number.isFinite(scale) && scale > 0))
    fail(stage, `value ${name} has a scale that is not positive`);
}

function checkNodes(graph: Graph, stage: Stage, rules: OpRules): void {
  const ready = new Set([...graph.values.values()].filter((value) => value.data).map((value) => value.name));
  for (const port of graph.inputs) ready.add(port.value);
  for (const node of graph.nodes) {
    const where = `node ${JSON.stringify(node.origin.slice(0, 80))} (${node.op})`;
    if (!rules.isKnown(node.op)) fail(stage, `${where} is no operator of the IR`);
    const complaint = rules.attributes(node);
    if (complaint) fail(stage, `${where}: ${complaint}`);
    for (const name of node.inputs)
      if (!ready.has(name)) fail(stage, `${where} reads ${JSON.stringify(name)} before it is made`);
    for (const name of node.outputs) {
      tensorOf(graph, name);
      if (ready.has(name)) fail(stage, `${where} makes ${JSON.stringify(name)} a second time`);
      ready.add(name);
    }
  }
  for (const port of graph.outputs)
    if (!ready.has(port.value)) fail(stage, `output ${JSON.stringify(port.name)} is never made`);
}

function checkTypes(graph: Graph, stage: Stage, rules: OpRules): void {
  for (const node of graph.nodes) {
    const inferred = rules.infer(
      node,
      node.inputs.map((name) => tensorOf(graph, name).type),
    );
    for (const [i, name] of node.outputs.entries()) {
      const { dtype, shape } = tensorOf(graph, name).type;
      const expected = inferred[i];
      if (!expected || expected.dtype !== dtype || !sameShape(expected.shape, shape)) {
        fail(
          stage,
          `node ${JSON.stringify(node.origin.slice(0, 80))} (${node.op}) makes ${expected?.dtype}[${expected?.shape}], not ${dtype}[${shape}]`,
        );
      }
    }
  }
}

function checkPort(graph: Graph, stage: Stage, port: Port): void {
  const value = tensorOf(graph, port.value);
  const moved = port.perm ? port.perm.map((axis) => port.shape[axis] ?? -1) : port.shape;
  const solid = (shape: readonly number[]) => shape.filter((size) => size !== 1);
  if (!sameShape(solid(moved), solid(value.type.shape))) {
    fail(stage, `port ${JSON.stringify(port.name)} [${port.shape}] does not give [${value.type.shape}]`);
  }
}

function checkQuantized(graph: Graph, stage: Stage): void {
  for (const node of graph.nodes) {
    if (node.op === 'quantize' || node.op === 'dequantize') continue;
    for (const name of [...node.inputs, ...node.outputs]) {
      const { dtype, quant } = tensorOf(graph, name).type;
      if (dtype === 'float32' || !quant)
        fail(
          stage,
          `node ${JSON.stringify(node.origin.slice(0, 80))} (${node.op}) touches ${JSON.stringify(name)}, which is not quantized`,
        );
    }
  }
}

/** Throws InvalidGraphError, naming the first thing that is not legal at `stage`. */
export function verify(graph: Graph, stage: Stage, rules: OpRules): void {
  for (const [name, value] of graph.values) {
    if (name !== value.name) fail(stage, `value ${JSON.stringify(value.name)} stands under another name`);
    checkValue(stage, value);
  }
  checkNodes(graph, stage, rules);
  for (const port of [...graph.inputs, ...graph.outputs]) checkPort(graph, stage, port);
  if (stage !== 'imported') checkTypes(graph, stage, rules);
  if (stage === 'quantized') checkQuantized(graph, stage);
}

/** A complaint where `value` is not a whole number within the bounds. */
export function integerComplaint(
  value: AttributeValue | undefined,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
    return undefined;
  return `is ${String(value)}`;
}
