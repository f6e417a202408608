import type { ModelledCycles } from '../measure/model-cycles.ts';
import { formatCount, formatLayer } from './format.ts';
import { renderPairs, renderTable } from './table.ts';

/** Modelled cycles of one inference, a row a layer, and what the model assumes. */
export function renderCycles({ cycles, range, perMac, layers, assumptions }: ModelledCycles): string {
  const table = renderTable(
    [{ title: 'layer' }, { title: 'modelled cycles', align: 'right' }],
    layers.map((layer) => [formatLayer(layer.name), formatCount(layer.cycles)]),
  );
  const pairs = renderPairs([
    ['modelled cycles', `${formatCount(cycles)} (${formatCount(range.least)} to ${formatCount(range.most)})`],
    ...(perMac === null ? [] : [['per MAC', perMac.toFixed(2)] as const]),
    ...assumptions.map((text, i) => [i === 0 ? 'assuming' : '', text] as const),
  ]);
  return `${table}\n\n${pairs}`;
}
