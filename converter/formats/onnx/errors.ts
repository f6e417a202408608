import { TinymlError } from '../../../common/tinyml-error.ts';
import { counted, quoted, shapeText } from './text.ts';

const exportAgain = 'export the model again, or copy the file again and compare its size';
const checkModel =
  'check the model in the framework that exported it; ONNX Runtime should find the same fault';

function fault(code: string, what: string, hint: string, measure?: string | readonly string[]): TinymlError {
  return new TinymlError({ code, exit: 1, what, hint, ...(measure === undefined ? {} : { measure }) });
}

/** Puts the file's name in front of an error from inside it. */
export function inFile(fileName: string, error: TinymlError): TinymlError {
  return prefixed(`${fileName}: `, error);
}

/** Puts the user's layer name in front of an error from one node. */
export function atNode(origin: string, op: string, error: TinymlError): TinymlError {
  return prefixed(`node ${quoted(origin)} (${op.slice(0, 80)}): `, error);
}

function prefixed(prefix: string, error: TinymlError): TinymlError {
  return new TinymlError({
    code: error.code,
    exit: error.exit,
    what: `${prefix}${error.message}`,
    measure: error.measure,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

// The file

export function fileDamaged(what: string, position: number): TinymlError {
  return fault(
    'E_ONNX_DAMAGED',
    'the file is damaged or is not an ONNX model',
    exportAgain,
    `near byte ${position}: ${what}`,
  );
}

export function noGraph(): TinymlError {
  return fault(
    'E_ONNX_DAMAGED',
    'the file is damaged or is not an ONNX model: no graph can be found in it',
    exportAgain,
  );
}

export function foreignFile(kind: string): TinymlError {
  return fault(
    'E_ONNX_NOT_ONNX',
    `this is not an ONNX model but ${kind}`,
    kind.includes('TFLite')
      ? 'give the file a name that ends in .tflite'
      : 'pass an .onnx file, as torch.onnx.export, tf2onnx or skl2onnx write it',
  );
}

export function fileTooLarge(what: string, most: number): TinymlError {
  return fault(
    'E_ONNX_TOO_LARGE',
    `the model has more than ${most} ${what}`,
    'no network for a microcontroller is that large; check how the file was made',
  );
}

export function irVersionNotSupported(version: number, oldest: number): TinymlError {
  return fault(
    'E_ONNX_VERSION',
    `the file has IR version ${version}; ${oldest} is the oldest that is read`,
    'export the model again with a current exporter; opset 17 is a good choice',
  );
}

export function opsetNotSupported(version: number, oldest: number, newest: number): TinymlError {
  return fault(
    'E_ONNX_VERSION',
    `the model uses opset ${version}; ${oldest} to ${newest} can be converted`,
    'export the model again with opset_version=17, or use onnx.version_converter',
  );
}

export function opsetMissing(): TinymlError {
  return fault('E_ONNX_VERSION', 'the file does not say which opset it uses', exportAgain);
}

// The graph

function graphFault(what: string): TinymlError {
  return fault('E_ONNX_GRAPH', what, checkModel);
}

export function duplicateValue(name: string): TinymlError {
  return graphFault(`value ${quoted(name)} is made more than once`);
}

export function undefinedValue(name: string, reader: string | undefined): TinymlError {
  const who = reader === undefined ? 'the graph returns' : `node ${quoted(reader)} reads`;
  return graphFault(`${who} ${quoted(name)}, which nothing makes`);
}

export function graphCycle(origin: string): TinymlError {
  return graphFault(`node ${quoted(origin)} depends on its own output`);
}

export function nothingToCompute(): TinymlError {
  return graphFault('the graph has no outputs');
}

export function noInputs(): TinymlError {
  return graphFault('the graph has no inputs');
}

export function unnamedValue(kind: 'input' | 'output'): TinymlError {
  return graphFault(`an ${kind} of the graph has no name`);
}

export function constantOutput(name: string): TinymlError {
  return graphFault(`output ${quoted(name)} does not depend on any input`);
}

export function functionDuplicate(name: string): TinymlError {
  return graphFault(`function ${quoted(name)} is defined twice`);
}

export function functionCycle(name: string): TinymlError {
  return graphFault(`function ${quoted(name)} calls itself`);
}

export function functionsTooDeep(most: number): TinymlError {
  return graphFault(`functions call each other more than ${most} levels deep`);
}

export function callMismatch(origin: string, name: string): TinymlError {
  return graphFault(`node ${quoted(origin)} calls function ${quoted(name)} with too many inputs or outputs`);
}

export function attributeMalformed(name: string, what: string): TinymlError {
  return graphFault(`attribute ${quoted(name)} ${what}`);
}

export function constantMismatch(op: string, what: string): TinymlError {
  return fault('E_ONNX_GRAPH', `${op} cannot be evaluated: ${what}`, checkModel);
}

export function shapeRequestInvalid(
  op: string,
  wanted: readonly number[],
  source: readonly number[],
): TinymlError {
  const text = shapeText(wanted.slice(0, 16));
  return graphFault(`${op} to ${text} does not fit an input of shape ${shapeText(source)}`);
}

export function foldTooLarge(shape: readonly number[], most: number): TinymlError {
  return fault(
    'E_ONNX_FOLDING',
    `a constant of shape ${shapeText(shape.slice(0, 16))} would have to be computed at import`,
    'no network for a microcontroller needs that; check the shapes that the model computes',
    `all computed constants together may take ${most} bytes`,
  );
}

export function constantsReadTooOften(most: number): TinymlError {
  return fault(
    'E_ONNX_FOLDING',
    'large constants are used by too many nodes',
    'no network for a microcontroller needs that; check how the file was made',
    `all nodes together may read ${most} elements of constants`,
  );
}

export function valueTooLarge(name: string, shape: readonly number[], most: number): TinymlError {
  return fault(
    'E_ONNX_TOO_LARGE',
    `value ${quoted(name)} would have shape ${shapeText(shape)}`,
    checkModel,
    `tensors have 1 to ${most} elements here`,
  );
}

export function derivedTooLarge(name: string, most: number): TinymlError {
  return fault(
    'E_ONNX_TOO_LARGE',
    `weights ${quoted(name)} and others are used in too many layouts`,
    checkModel,
    `more than ${most} bytes together`,
  );
}

// Tensors

function tensorFault(name: string, what: string): TinymlError {
  return fault('E_ONNX_TENSOR', `tensor ${quoted(name)}: ${what}`, exportAgain);
}

export function tensorDamaged(name: string, what: string): TinymlError {
  return tensorFault(name, what);
}

export function tensorTooLarge(name: string, dims: readonly number[], most: number): TinymlError {
  return tensorFault(name, `shape ${shapeText(dims)} has more than ${most} elements`);
}

export function tensorTypeNotSupported(name: string, type: string): TinymlError {
  return fault(
    'E_ONNX_TENSOR',
    `tensor ${quoted(name)} has element type ${type}, which tinyml cannot read`,
    'export the model in float32; tinyml quantizes it itself',
  );
}

export function sparseTensor(name: string): TinymlError {
  return fault(
    'E_ONNX_TENSOR',
    `tensor ${quoted(name)} is stored as a sparse tensor, which tinyml cannot read`,
    'export the model with dense weights',
  );
}

export function weightsNotFinite(name: string, count: number, total: number): TinymlError {
  return fault(
    'E_ONNX_NOT_FINITE',
    `tensor ${quoted(name)} holds NaN or infinite values (not finite)`,
    'the training may have diverged; check the weights of this layer and export again',
    `${count} of ${counted(total, 'element')}`,
  );
}

const besideModel = "external data must be a relative path inside the model's own folder";

export function externalDataOutside(tensor: string, location: string, why: string): TinymlError {
  return fault(
    'E_ONNX_EXTERNAL_DATA',
    `tensor ${quoted(tensor)} points to ${quoted(location)}, which could be outside the model's folder: ${why}`,
    besideModel,
  );
}

export function externalDataRange(tensor: string, location: string, what: string): TinymlError {
  return fault(
    'E_ONNX_EXTERNAL_DATA',
    `tensor ${quoted(tensor)} cannot be read from ${quoted(location)}: ${what}`,
    'copy the .onnx file together with its data files',
  );
}

export function externalDataUnavailable(tensor: string, location: string): TinymlError {
  return fault(
    'E_ONNX_EXTERNAL_DATA',
    `tensor ${quoted(tensor)} is stored in another file, ${quoted(location)}, which cannot be read here`,
    besideModel,
  );
}

// Inputs of the model

export function inputNotTensor(name: string): TinymlError {
  return fault(
    'E_ONNX_INPUT',
    `input ${quoted(name)} is not a tensor`,
    'sequences and maps cannot be converted',
  );
}

export function inputTypeNotSupported(name: string, type: string): TinymlError {
  return fault('E_ONNX_INPUT', `input ${quoted(name)} has element type ${type}`, 'use float32 inputs');
}

export function inputTooLarge(name: string, shape: readonly number[]): TinymlError {
  return fault(
    'E_ONNX_INPUT',
    `input ${quoted(name)} has shape ${shapeText(shape.slice(0, 16))}, which is too large`,
    'check the shape; a microcontroller has some hundred kilobytes of memory',
  );
}

export function inputShapeUnknown(
  name: string,
  inputs: readonly string[],
  like: string | undefined,
): TinymlError {
  return fault(
    'E_ONNX_INPUT',
    `--input-shape names ${quoted(name)}, which is not an input of the model`,
    like === undefined ? 'use one of the names listed' : `did you mean ${quoted(like)}?`,
    `inputs: ${inputs.slice(0, 16).map(quoted).join(', ')}`,
  );
}

export function inputShapeMismatch(
  name: string,
  given: readonly number[],
  own: string | undefined,
): TinymlError {
  return fault(
    'E_ONNX_INPUT',
    `--input-shape gives ${quoted(name)} the shape ${shapeText(given)}, which does not fit ${own ?? 'a tensor'}`,
    'sizes are positive, and those that the model fixes cannot be changed',
  );
}

export function unknownDimensions(
  name: string,
  shape: string | undefined,
  open: readonly { readonly axis: number; readonly size: string }[],
  example: string,
): TinymlError {
  const axes = open.map(({ axis, size }) =>
    size === '' ? `axis ${axis}` : `axis ${axis} (${quoted(size)})`,
  );
  const what =
    shape === undefined
      ? `input ${quoted(name)} has no shape in the file`
      : `input ${quoted(name)} has shape ${shape}, which leaves ${axes.join(' and ')} open`;
  return fault(
    'E_ONNX_UNKNOWN_DIMENSION',
    what,
    `give sizes with --input-shape ${name.slice(0, 80)}=${example}`,
  );
}

// Operators

/** Code of every refusal to convert a node; import collects them and reports all at once. */
export const unsupportedCode = 'E_ONNX_UNSUPPORTED_OP';

/** One node that cannot be converted; `why` continues "which tinyml cannot convert: ". */
export function notConvertible(why: string, hint?: string): TinymlError {
  return fault(unsupportedCode, why, hint ?? '');
}

/** A refused node, as it is reported. */
export interface RefusedNode {
  readonly op: string;
  readonly opset: number;
  readonly origin: string;
  /** Why this use of the operator is refused; undefined when the operator is not known at all. */
  readonly why: string | undefined;
  readonly hint: string | undefined;
}

const namesPerLine = 12;
const mostLines = 60;

function nodesText(nodes: readonly RefusedNode[]): string {
  const names = nodes.slice(0, namesPerLine).map((node) => quoted(node.origin));
  const rest = nodes.length - names.length;
  return rest > 0 ? `${names.join(', ')} and ${rest} more` : names.join(', ');
}

/** Refused nodes that share operator and reason. */
function groupRefused(refused: readonly RefusedNode[]): RefusedNode[][] {
  const groups = new Map<string, RefusedNode[]>();
  for (const node of refused) {
    const key = JSON.stringify([node.op, node.why]);
    const group = groups.get(key);
    if (group) group.push(node);
    else groups.set(key, [node]);
  }
  return [...groups.values()];
}

function groupText(group: readonly RefusedNode[]): string {
  const { op, opset, why } = group[0]!;
  const version = opset > 0 ? ` (opset ${opset})` : '';
  const reason = why === undefined ? '' : `: ${why}`;
  const noun = group.length === 1 ? 'node' : 'nodes';
  return `${noun} ${nodesText(group)} ${group.length === 1 ? 'uses' : 'use'} ${op.slice(0, 80)}${version}, which tinyml cannot convert${reason}`;
}

/** Every node that cannot be converted, in one error. */
export function unsupportedOperators(refused: readonly RefusedNode[], nodes: number): TinymlError {
  const groups = groupRefused(refused);
  const [first, ...others] = groups.map(groupText);
  const hint = groups.map(([node]) => node!.hint).find((text) => text !== undefined && text !== '');
  const shown = others.slice(0, mostLines);
  if (others.length > shown.length) shown.push(`and ${others.length - shown.length} more kinds of node`);
  const affected = `${refused.length} of ${counted(nodes, 'node')} ${refused.length === 1 ? 'is' : 'are'} affected`;
  return fault(
    unsupportedCode,
    first!,
    hint ?? 'export the model without these operators; docs/ops.md lists those that can be converted',
    [...shown, affected],
  );
}

// Writing

export function notWritable(origin: string, what: string): TinymlError {
  return fault(
    'E_ONNX_NOT_WRITABLE',
    `${quoted(origin)} cannot be written as float ONNX: ${what}`,
    'tinyml convert writes quantized models as .tflite',
  );
}
