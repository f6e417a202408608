import { commandTable } from './command-table.ts';

const examples = [
  'tinyml deploy model.onnx --calib data.npz',
  'tinyml convert model.onnx --calib data.npz -o out',
  'tinyml boards',
];

const globalHelp = [
  ['--json', 'one JSON document on stdout, everything else on stderr'],
  ['--quiet', 'no notes, warnings or progress'],
  ['--verbose', 'say more, for example the commands that are run'],
  ['--no-color', 'plain text (the environment variable NO_COLOR does the same)'],
  ['-h, --help', 'help for tinyml or a command'],
  ['-V, --version', 'the version'],
] as const;

function twoColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n');
}

/** The text of `tinyml --help`; it loads no command. */
export function rootHelp(version: string): string {
  const rows = commandTable.map((row) => [row.name, row.summary] as const);
  return [
    `tinyml ${version}: from a trained network (ONNX, TFLite, TensorFlow.js) to a measured microcontroller`,
    '',
    'usage: tinyml COMMAND [ARGUMENTS] [OPTIONS]',
    '',
    'commands:',
    twoColumns(rows),
    '',
    'options of every command:',
    twoColumns(globalHelp),
    '',
    'examples:',
    ...examples.map((line) => `  ${line}`),
    '',
    'tinyml COMMAND --help tells more.',
  ].join('\n');
}

/** Flags of `globalHelp` for the commander instance of one command. */
export const globalFlags: readonly (readonly [string, string])[] = globalHelp.slice(0, 4);
