import { supportedOnnxOps } from '../../converter/formats/onnx/supported-ops.ts';
import { ops } from '../../converter/ops/index.ts';

/** One operator of the IR and what can be done with it. */
export interface OpRow {
  readonly name: string;
  readonly summary: string;
  /** Names of the TFLite operators it is read from. */
  readonly tflite: readonly string[];
  readonly float: boolean;
  readonly int8: boolean;
  /** Whether there is generated C for it. */
  readonly c: boolean;
}

export interface OpsList {
  readonly ops: readonly OpRow[];
  readonly onnx: typeof supportedOnnxOps;
}

export function opsList(): OpsList {
  const rows = ops.map((op) => ({
    name: op.name,
    summary: op.summary,
    tflite: Object.keys(op.tflite?.read ?? {}).sort(),
    float: op.float !== undefined,
    int8: op.integer !== undefined,
    c: op.kernels !== undefined,
  }));
  return { ops: rows, onnx: supportedOnnxOps };
}

export const yesNo = (has: boolean) => (has ? 'yes' : 'no');

const line = (cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The text of docs/ops.md. */
export function opsPage({ ops: rows, onnx }: OpsList): string {
  const irRows = rows.map(({ name, summary, tflite, float, int8, c }) => [
    `\`${name}\``,
    summary,
    tflite.join(', '),
    yesNo(float),
    yesNo(int8),
    yesNo(c),
  ]);
  return `# Operators

Made by \`tinyml ops --markdown > docs/ops.md\` from the lists that the converter itself uses; a test compares.

## ONNX
${onnx.length} operators of opset 7 to 22 are converted. Anything else is refused, with all nodes concerned in one message.

${table(
  ['operator', 'what is covered'],
  onnx.map(({ op, notes }) => [op, notes === '' ? 'all of it' : notes]),
)}

## Inside, and TFLite
What a model consists of after import. *float*: evaluated for calibration and \`--engine float\`. *int8*: the bit-exact
reference evaluation. *C*: generated code, in int8 or float.

${table(['operator', 'what it does', 'TFLite', 'float', 'int8', 'C'], irRows)}
`;
}
