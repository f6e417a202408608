// Instructions, flash and arena of the engine on the emulated boards, beside TensorFlow Lite Micro and the targets.
// usage: npm run bench:engine [-- --write] [--only NETWORK] [--record FILE]
// The figures are exact and repeatable. Exit code 3 when one grew by more than 1 % against scripts/engine-recorded.json;
// --write records what was measured; --record names another file than that one. Another compiler makes other code: then nothing is compared, and it says so.
// Without the shared models it measures the example network only.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { baselines, count, hasNetworks, markdownTable, measure, ratio, subjects } from './engine.mjs';
import { root } from './setup.mjs';

const { values: options } = parseArgs({
  options: { write: { type: 'boolean' }, only: { type: 'string' }, record: { type: 'string' } },
});
const recordFile = options.record ?? join(root, 'scripts', 'engine-recorded.json');
const chosen = subjects.filter(({ name }) => options.only === undefined || name === options.only);
const recorded = JSON.parse(readFileSync(recordFile, 'utf8'));
const tolerance = 0.01;
const columns = ['instructions', 'init', 'flash', 'arena'];
const cases = [
  { board: 'virtual-stm32f405', optimize: 'speed', compiler: 'arm-none-eabi-gcc' },
  { board: 'virtual-stm32f405', optimize: 'size', compiler: 'arm-none-eabi-gcc' },
  { board: 'virtual-rv32imc', optimize: 'speed', compiler: 'riscv64-unknown-elf-gcc' },
];
const versionOf = (compiler) =>
  spawnSync(compiler, ['-dumpfullversion'], { encoding: 'utf8' }).stdout?.trim();
const compilers = Object.fromEntries(cases.map(({ compiler }) => [compiler, versionOf(compiler)]));
const keyOf = ({ board, optimize }, name) => `${board} ${optimize} ${name}`;

/** How a figure stands to the recorded one; small is good. */
function change(measured, known) {
  const grown = Math.max(1, measured) / Math.max(1, known) - 1;
  if (Math.abs(grown) <= tolerance) return undefined;
  return `${grown > 0 ? 'WORSE' : 'better'} by ${Math.abs(100 * grown).toFixed(1)} %`;
}

function verdict({ compiler }, key, measured) {
  const known = recorded.figures[key];
  if (!known) return 'not recorded';
  if (compilers[compiler] !== recorded.compilers[compiler]) {
    return `not compared: recorded with ${compiler} ${recorded.compilers[compiler]}`;
  }
  const changes = columns.flatMap((column) => {
    const text = change(measured[column], known[column] ?? measured[column]);
    return text ? [`${column} ${text}`] : [];
  });
  worse.push(...changes.filter((text) => text.includes('WORSE')).map((text) => `${key}: ${text}`));
  return changes.length > 0 ? changes.join(', ') : 'as recorded';
}

/** `12,600,000 met`: what the project wants to reach. */
function goal(measured, limit) {
  if (limit === undefined) return '';
  return `${count(limit)} ${measured <= limit ? 'met' : 'MISSED'}`;
}

const figures = {};
const worse = [];

function row(one, subject) {
  const { name } = subject;
  const measured = measure(subject, one.board, one.optimize);
  const key = keyOf(one, name);
  figures[key] = Object.fromEntries(columns.map((column) => [column, measured[column]]));
  const theirs = baselines[one.board][name] ?? {};
  const cells = ['instructions', 'flash', 'arena'].flatMap((column) => [
    count(measured[column]),
    ratio(measured[column], theirs[column]),
  ]);
  const goals = ['target', 'stretch'].map((kind) => goal(measured.instructions, theirs[kind]?.instructions));
  const memory = [goal(measured.flash, theirs.target?.flash), goal(measured.arena, theirs.target?.arena)];
  const [instructions, flash, arena] = [cells.slice(0, 2), cells.slice(2, 4), cells.slice(4)];
  return [
    name,
    ...instructions,
    ...goals,
    count(measured.init),
    ...flash,
    memory[0],
    ...arena,
    memory[1],
    verdict(one, key, measured),
  ];
}

const head = [
  ...['network', 'instructions', 'of TFLM', 'target', 'stretch', 'start-up'],
  ...['flash', 'of TFLM', 'target', 'arena', 'of TFLM', 'target', 'recorded'],
];
for (const one of cases) {
  console.log(`\n${one.board}, --optimize ${one.optimize}`);
  console.log(
    markdownTable(
      head,
      chosen.map((subject) => row(one, subject)),
    ),
  );
}
if (!hasNetworks)
  console.log('\nthe MLPerf Tiny networks are not beside this checkout: example network only');
if (options.write) {
  writeFileSync(
    recordFile,
    `${JSON.stringify({ compilers, figures: { ...recorded.figures, ...figures } }, null, 2)}\n`,
  );
} else if (worse.length > 0) {
  console.error(`\nfigures grew by more than ${100 * tolerance} %:\n${worse.join('\n')}`);
  process.exit(3);
}
