import type { Board } from '../../boards/load.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import { type CycleCount, CycleCounter } from '../../device/virtual/cortex-m4/cycle-counter.ts';
import { readElf } from '../../firmware-templates/elf.ts';
import { type BoardLink, withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import type { Context } from '../context.ts';
import { testVector } from '../engine/test-vectors.ts';
import type { Progress } from '../output.ts';
import { type BenchSubject, connectBench } from './bench-subject.ts';
import { cyclesNotModelled, traceIncomplete } from './errors.ts';
import type { FlashImage } from './folder-bench.ts';

/** Cycles of a pipeline refill: from 1 to 3 (Cortex-M4 TRM, section 3.3.1); the middle is taken. */
const refill = { least: 1, taken: 2, most: 3 } as const;

const assumptions = [
  'Cortex-M4 with FPU; instruction costs of the Technical Reference Manual (ARM 100166), tables 3-1 and 7-1, section 3.3.3',
  'instructions and their order exactly as executed by the emulator; memory without wait states or contention',
  `a pipeline refill takes ${refill.taken} cycles; the range is for ${refill.least} and ${refill.most}`,
  'a load right behind a load takes 1 cycle, any other 2; an address from the instruction before costs 1 more',
  'integer divisions take 12 cycles, their worst',
];

/** Cycles of one inference on a Cortex-M4, computed and not measured. */
export interface ModelledCycles {
  readonly core: 'cortex-m4';
  readonly cycles: number;
  /** With the fastest and the slowest pipeline refill. */
  readonly range: { readonly least: number; readonly most: number };
  /** Executed by the emulator, call of the model included. */
  readonly instructions: number;
  readonly perMac: number | null;
  readonly layers: readonly { readonly name: string; readonly cycles: number }[];
  readonly assumptions: readonly string[];
}

const withRefill = ({ cycles, refills }: CycleCount, each: number) => cycles + each * refills;

/** Runs one inference in the emulator with a log of all that is executed, and prices it. */
export async function modelCycles(
  context: Context,
  board: Board,
  subject: BenchSubject,
  image: FlashImage,
  progress: Progress,
): Promise<ModelledCycles> {
  if (!board.emulator || board.chip.cpu !== 'cortex-m4f') throw cyclesNotModelled(board.id);
  const counted = readElf(image.elf).symbols.filter(
    ({ kind, name }) => kind === 'function' && /^(?:model_invoke|layer_\d+)$/.test(name),
  );
  // Bit 0 of a function's address says that it is Thumb code.
  const counter = new CycleCounter(counted.map(({ name, address }) => ({ name, address: address & ~1 })));
  const inputs = testVector(subject.graph, 1).map(bytesOf);
  const infer = async (link: BoardLink) => {
    await flashBoard(context, link, image.bin, progress);
    progress('following every instruction');
    const client = await connectBench(context, link, subject);
    await client.measure(inputs, { runs: 1 });
    // The whole model calls its layers, and may contain copies of them; here each is called by itself.
    await client.profile(inputs);
  };
  await withBoard(context, board, undefined, infer, { onTrace: (line) => counter.line(line) });
  const total = counter.counts.get('model_invoke');
  if (!total) throw traceIncomplete(board.id);
  const macs = subject.layers.reduce((sum, layer) => sum + layer.macs, 0);
  const cycles = withRefill(total, refill.taken);
  return {
    core: 'cortex-m4',
    cycles,
    range: { least: withRefill(total, refill.least), most: withRefill(total, refill.most) },
    instructions: total.instructions,
    perMac: macs > 0 ? cycles / macs : null,
    layers: subject.layers.map(({ name }, i) => {
      const count = counter.counts.get(`layer_${i}`);
      return { name, cycles: count ? withRefill(count, refill.taken) : 0 };
    }),
    assumptions,
  };
}
