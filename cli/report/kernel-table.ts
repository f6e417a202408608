import type { AotLayer } from '../../converter/codegen/aot.ts';
import { formatBytes, formatCount, formatLayer } from './format.ts';
import { renderTable } from './table.ts';

/** Which kernel each layer of a model gets on a board. */
export interface KernelReport {
  readonly board: string;
  readonly cpu: string;
  readonly arenaBytes: number;
  readonly peakLayer: string | null;
  readonly layers: readonly Pick<AotLayer, 'name' | 'op' | 'macs' | 'kernels'>[];
}

type Kernels = AotLayer['kernels'];

/** A layer without kernels is another view of its input's memory. */
const formText = (kernels: Kernels) => kernels.map(({ form }) => form).join(', then ') || 'none needed';
const declinedText = (kernels: Kernels) => kernels.flatMap(({ declined }) => declined).join('; ');

/** A row a layer: the form of its kernel, and why it is not a faster one. */
export function renderKernels({ board, cpu, arenaBytes, peakLayer, layers }: KernelReport): string {
  const table = renderTable(
    [
      { title: 'layer' },
      { title: 'op' },
      { title: 'MACs', align: 'right' },
      { title: 'kernel' },
      { title: 'not faster because' },
    ],
    layers.map(({ name, op, macs, kernels }) => [
      formatLayer(name),
      op,
      formatCount(macs),
      formText(kernels),
      declinedText(kernels),
    ]),
  );
  const most = peakLayer === null ? '' : `, most in ${formatLayer(peakLayer)}`;
  return `${table}\n\n${board} (${cpu}): ${formatBytes(arenaBytes)} arena${most}`;
}
