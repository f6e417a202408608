import { folders } from './fold/index.ts';
import { lowerings } from './lower/index.ts';

/** One row of docs/ops.md. */
export interface SupportedOnnxOp {
  readonly op: string;
  /** What is covered; '' when everything is. */
  readonly notes: string;
}

const onlyConstants = 'of constants, evaluated at import';
const computedAtImport: readonly SupportedOnnxOp[] = [
  { op: 'If', notes: 'with a condition that is known at import' },
  { op: 'Shape', notes: 'evaluated at import' },
  { op: 'Size', notes: 'evaluated at import' },
];

/** Every ONNX operator that import accepts, by name. */
export const supportedOnnxOps: readonly SupportedOnnxOp[] = [
  ...[...lowerings.values()].map(({ op, notes }) => ({ op, notes })),
  ...[...folders.keys()].filter((op) => !lowerings.has(op)).map((op) => ({ op, notes: onlyConstants })),
  ...computedAtImport,
].sort((a, b) => (a.op < b.op ? -1 : 1));
