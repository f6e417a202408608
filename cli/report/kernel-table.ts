import type { ArenaPeak } from '../../converter/codegen/plan-model-memory.ts';
import type { AotLayer } from '../../converter/codegen/planned-model.ts';
import { formatCount, formatLayer } from './format.ts';
import { renderTable } from './table.ts';

/** Which kernel each layer of a model gets on a board. */
export interface KernelReport {
  readonly board: string;
  readonly cpu: string;
  readonly arenaBytes: number;
  readonly peak: ArenaPeak | null;
  readonly layers: readonly Pick<AotLayer, 'name' | 'op' | 'macs' | 'weightsBytes' | 'kernels'>[];
}

type Kernels = AotLayer['kernels'];

/** A layer without kernels is another view of its input's memory. */
const formText = (kernels: Kernels) => kernels.map(({ form }) => form).join(', then ') || 'none needed';
const declinedText = (kernels: Kernels) => kernels.flatMap(({ declined }) => declined).join('; ');

/** The arena, the layer that needs most of it, and for what. */
export function peakText(arenaBytes: number, { layer, parts }: ArenaPeak): string {
  const list = parts.map(({ name, bytes }) => `${formatLayer(name)} ${formatCount(bytes)}`).join(' + ');
  const overlaps = parts.reduce((sum, { bytes }) => sum + bytes, 0) > arenaBytes ? ', which overlap' : '';
  return `arena ${formatCount(arenaBytes)} bytes, most in ${formatLayer(layer)}: ${list}${overlaps}`;
}

/** A row a layer: the form of its kernel, and why it is not a faster one. */
export function renderKernels({ board, cpu, arenaBytes, peak, layers }: KernelReport): string {
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
  const arena = peak ? `\n${peakText(arenaBytes, peak)}` : '';
  return `${table}\n\n${board} (${cpu})${arena}`;
}
