import type { BenchReport } from '../measure/measure-board.ts';
import { formatBytes, formatCount, formatLayer, formatMicroseconds } from './format.ts';
import { renderPairs, renderTable } from './table.ts';

type Pair = readonly [string, string];

const sameText = (runs: number) => (runs === 1 ? 'one run' : `the same in all ${runs} runs`);

function latencyPairs({ latencyUs, modelled, runs, instructions, cycles }: BenchReport): Pair[] {
  const { min, median, p95, p99, max } = latencyUs;
  const spread =
    min === max
      ? sameText(runs)
      : `min ${formatMicroseconds(min)}, p95 ${formatMicroseconds(p95)}, p99 ${formatMicroseconds(p99)}, max ${formatMicroseconds(max)}`;
  return [
    ['latency', `${formatMicroseconds(median)} (${spread})`],
    ...(modelled === null ? [] : [['', `modelled: ${modelled}`] as const]),
    ...(instructions === null ? [] : [['instructions', `${formatCount(instructions)}, exact`] as const]),
    ...(cycles === null ? [] : [['cycles', formatCount(cycles)] as const]),
  ];
}

function memoryPairs({ flash, ram, initUs, initInstructions }: BenchReport): Pair[] {
  const split =
    flash &&
    `weights ${formatBytes(flash.weights)}, code ${formatBytes(flash.code)}, rest ${formatBytes(flash.other)}`;
  const used = ram.arena + ram.static + ram.stackUsed;
  return [
    ...(flash ? [['flash', `${formatBytes(flash.image)} (${split})`] as const] : []),
    [
      'RAM',
      `${formatBytes(used)} (arena ${formatBytes(ram.arena)}, static ${formatBytes(ram.static)}, stack used ${formatBytes(ram.stackUsed)})`,
    ],
    [
      'start-up',
      initInstructions === null
        ? formatMicroseconds(initUs)
        : `${formatCount(initInstructions)} instructions`,
    ],
  ];
}

/** Latency, instructions and memory of one measurement. */
export function renderBench(report: BenchReport): string {
  return renderPairs(benchPairs(report));
}

export function benchPairs(report: BenchReport): Pair[] {
  return [...latencyPairs(report), ...memoryPairs(report)];
}

/** Where the time goes, a row a layer. */
export function renderProfile({ layers }: BenchReport): string {
  const total = layers.reduce((sum, layer) => sum + layer.us, 0);
  const exact = layers.some((layer) => layer.instructions !== null);
  const rows = layers.map((layer) => [
    formatLayer(layer.name),
    layer.op,
    formatCount(layer.macs),
    formatMicroseconds(layer.us),
    ...(exact ? [formatCount(layer.instructions ?? 0)] : []),
    total > 0 ? `${((100 * layer.us) / total).toFixed(1)} %` : '',
  ]);
  return renderTable(
    [
      { title: 'layer' },
      { title: 'op' },
      { title: 'MACs', align: 'right' },
      { title: 'time', align: 'right' },
      ...(exact ? [{ title: 'instructions', align: 'right' } as const] : []),
      { title: 'share', align: 'right' },
    ],
    rows,
  );
}
