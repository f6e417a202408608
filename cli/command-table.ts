import type { CommandRow } from './command.ts';

/** Every command: one row, its module loaded only when it is called. */
export const commandTable: readonly CommandRow[] = [
  {
    name: 'deploy',
    summary: 'convert, build, flash, verify on the board and benchmark, in one go',
    load: () => import('./commands/deploy.ts'),
  },
  {
    name: 'convert',
    summary: 'quantize a model and write TFLite, C and a report',
    load: () => import('./commands/convert.ts'),
  },
  {
    name: 'prune',
    summary: 'remove the channels that matter least, train what is left, and write ONNX',
    load: () => import('./commands/prune.ts'),
  },
  {
    name: 'inspect',
    summary: 'graph, operators, MACs, memory, and the boards a model fits',
    load: () => import('./commands/inspect.ts'),
  },
  {
    name: 'analyze',
    summary: 'find what quantization costs each layer, and remedies',
    load: () => import('./commands/analyze.ts'),
  },
  {
    name: 'run',
    summary: 'run a model on one input',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'eval',
    summary: 'measure accuracy on a data set',
    load: () => import('./commands/eval.ts'),
  },
  {
    name: 'build',
    summary: 'compile a converted model to firmware',
    load: () => import('./commands/build.ts'),
  },
  {
    name: 'flash',
    summary: 'write firmware to a board and read it back',
    load: () => import('./commands/flash.ts'),
  },
  {
    name: 'verify',
    summary: 'compare board and host, bit for bit',
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'bench',
    summary: 'measure latency, instructions and memory on a board',
    load: () => import('./commands/bench.ts'),
  },
  {
    name: 'search',
    summary: 'search for the best conversion within a budget, measured on a board',
    load: () => import('./commands/search.ts'),
  },
  {
    name: 'worker',
    summary: 'do trials of a search for other machines',
    load: () => import('./commands/worker.ts'),
  },
  {
    name: 'boards',
    summary: 'list boards, show one, or run a virtual one',
    load: () => import('./commands/boards.ts'),
  },
  {
    name: 'ports',
    summary: 'list serial ports and the boards behind them',
    load: () => import('./commands/ports.ts'),
  },
  {
    name: 'monitor',
    summary: 'show what a board prints',
    load: () => import('./commands/monitor.ts'),
  },
  {
    name: 'record',
    summary: "record a board's sensors into a data set",
    load: () => import('./commands/record.ts'),
  },
  {
    name: 'reset',
    summary: 'restart the program of a board',
    load: () => import('./commands/reset.ts'),
  },
  {
    name: 'erase',
    summary: 'erase the flash of a board, or a part of it',
    load: () => import('./commands/erase.ts'),
  },
  {
    name: 'ops',
    summary: 'list the operators that can be converted',
    load: () => import('./commands/ops.ts'),
  },
  {
    name: 'doctor',
    summary: 'check this machine for the tools that are needed, and install them',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'completion',
    summary: 'print a completion script for a shell',
    load: async () => ({
      command: (await import('./commands/completion.ts')).completionCommand(commandTable),
    }),
  },
];
