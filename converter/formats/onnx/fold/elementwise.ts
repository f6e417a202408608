import { broadcastShapes } from '../../../ir/tensor.ts';
import type { DType, TensorData } from '../../../ir/types.ts';
import { constantMismatch } from '../errors.ts';
import type { Elements } from '../tensor/elements.ts';
import type { FoldBudget } from './budget.ts';
import { type Constant, type Folded, type Folder, type FoldNode, folded, required } from './folder.ts';
import { broadcastData } from './offsets.ts';

type Operation<T> = (a: T, b: T) => T | boolean;

/** The same operation on numbers and on exact 64-bit integers. */
interface Binary {
  readonly number: Operation<number>;
  readonly bigint?: Operation<bigint>;
  readonly result?: 'bool';
}

function smaller(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

/** The result has the divisor's sign, as ONNX has it for integers. */
function floorModulo(a: number, b: number): number {
  return a - b * Math.floor(a / b);
}

function floorModulo64(a: bigint, b: bigint): bigint {
  const rest = a % b;
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
}

const binaries: ReadonlyMap<string, Binary> = new Map<string, Binary>([
  ['Add', { number: (a, b) => a + b, bigint: (a, b) => a + b }],
  ['Sub', { number: (a, b) => a - b, bigint: (a, b) => a - b }],
  ['Mul', { number: (a, b) => a * b, bigint: (a, b) => a * b }],
  ['Div', { number: (a, b) => a / b, bigint: (a, b) => a / b }],
  ['Mod', { number: floorModulo, bigint: floorModulo64 }],
  ['Pow', { number: (a, b) => a ** b }],
  ['Min', { number: Math.min, bigint: smaller }],
  ['Max', { number: Math.max, bigint: larger }],
  ['Equal', { number: (a, b) => a === b, bigint: (a, b) => a === b, result: 'bool' }],
  ['Less', { number: (a, b) => a < b, bigint: (a, b) => a < b, result: 'bool' }],
  ['LessOrEqual', { number: (a, b) => a <= b, bigint: (a, b) => a <= b, result: 'bool' }],
  ['Greater', { number: (a, b) => a > b, bigint: (a, b) => a > b, result: 'bool' }],
  ['GreaterOrEqual', { number: (a, b) => a >= b, bigint: (a, b) => a >= b, result: 'bool' }],
  ['And', { number: (a, b) => a !== 0 && b !== 0, result: 'bool' }],
  ['Or', { number: (a, b) => a !== 0 || b !== 0, result: 'bool' }],
]);

function checkDivisor(op: string, divisor: TensorData, dtype: DType): void {
  if (dtype === 'float32') return;
  for (const value of divisor) {
    if (value === 0 || value === 0n) throw constantMismatch(op, 'division of integers by zero');
  }
}

/** C's fmod: the result has the dividend's sign. */
const truncatedModulo: Binary = { number: (a, b) => a % b, bigint: (a, b) => a % b };

function operationOf({ op, attrs }: FoldNode): Binary {
  return op === 'Mod' && attrs.flag('fmod', false) ? truncatedModulo : binaries.get(op)!;
}

function applyBinary(op: string, operation: Binary, a: Constant, b: Constant, budget: FoldBudget): Folded {
  const { dtype } = a.type;
  if (dtype !== b.type.dtype) throw constantMismatch(op, `its inputs are ${dtype} and ${b.type.dtype}`);
  const shape = broadcastShapes(a.type.shape, b.type.shape);
  if (!shape) throw constantMismatch(op, 'its inputs do not broadcast');
  const data = budget.allocate(operation.result ?? dtype, shape);
  const result: Elements = data;
  if (op === 'Div' || op === 'Mod') checkDivisor(op, b.data, dtype);
  const left: Elements = broadcastData(a.data, a.type.shape, shape);
  const right: Elements = broadcastData(b.data, b.type.shape, shape);
  if (dtype === 'int64') {
    if (!operation.bigint) throw constantMismatch(op, 'it is not known for int64');
    for (let i = 0; i < result.length; i++) {
      const value = operation.bigint(left[i] as bigint, right[i] as bigint);
      result[i] = typeof value === 'bigint' ? value : Number(value);
    }
  } else {
    // Storing in an integer array cuts the fraction off, as integer division does.
    for (let i = 0; i < result.length; i++)
      result[i] = Number(operation.number(left[i] as number, right[i] as number));
  }
  return folded(operation.result ?? dtype, shape, data);
}

/** Variadic operators are chains of the binary one. */
export const foldBinary: Folder = (node, budget) => {
  const operation = operationOf(node);
  let result: Constant = required(node, 0);
  for (let i = 1; i < node.inputs.length; i++) {
    const next = applyBinary(node.op, operation, result, required(node, i), budget);
    result = { name: '', type: { dtype: next.dtype, shape: next.shape }, data: next.data };
  }
  return [{ ...result.type, data: result.data }];
};

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const up = x - low > 0.5 || (x - low === 0.5 && low % 2 !== 0);
  return up ? low + 1 : low;
}

const unaries: ReadonlyMap<string, (x: number) => number> = new Map([
  ['Neg', (x) => -x],
  ['Abs', Math.abs],
  ['Floor', Math.floor],
  ['Ceil', Math.ceil],
  ['Sqrt', Math.sqrt],
  ['Exp', Math.exp],
  ['Log', Math.log],
  ['Reciprocal', (x) => 1 / x],
  ['Round', roundHalfEven],
  ['Sign', Math.sign],
  ['Not', (x) => (x === 0 ? 1 : 0)],
]);

function negateExact(op: string, x: bigint): bigint {
  return op === 'Neg' || x < 0n ? -x : x;
}

export const foldUnary: Folder = (node, budget) => {
  const x = required(node, 0);
  const { dtype, shape } = x.type;
  const operation = unaries.get(node.op)!;
  const data = budget.allocate(dtype, shape);
  const result: Elements = data;
  if (dtype !== 'int64') {
    for (let i = 0; i < result.length; i++) result[i] = operation(x.data[i] as number);
  } else if (node.op === 'Neg' || node.op === 'Abs') {
    for (let i = 0; i < result.length; i++) result[i] = negateExact(node.op, x.data[i] as bigint);
  } else {
    return undefined;
  }
  return [folded(dtype, shape, data)];
};

export const foldWhere: Folder = (node, budget) => {
  const [condition, a, b] = [required(node, 0), required(node, 1), required(node, 2)];
  const branches = broadcastShapes(a.type.shape, b.type.shape);
  const shape = branches && broadcastShapes(condition.type.shape, branches);
  if (!shape || a.type.dtype !== b.type.dtype) throw constantMismatch('Where', 'its inputs do not fit');
  const data = budget.allocate(a.type.dtype, shape);
  const result: Elements = data;
  const chosen = broadcastData(condition.data, condition.type.shape, shape);
  const left: Elements = broadcastData(a.data, a.type.shape, shape);
  const right: Elements = broadcastData(b.data, b.type.shape, shape);
  for (let i = 0; i < result.length; i++) result[i] = chosen[i] ? left[i]! : right[i]!;
  return [folded(a.type.dtype, shape, data)];
};

export const binaryNames: readonly string[] = [...binaries.keys()];
export const unaryNames: readonly string[] = [...unaries.keys()];
