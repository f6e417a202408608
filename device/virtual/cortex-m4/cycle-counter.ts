import { cyclesOf, type Instruction } from './instruction-cost.ts';

/** A stretch of instructions that QEMU translated and runs as one. */
interface Block {
  readonly start: number;
  readonly end: number;
  /** Whether its last instruction leads to its first. */
  readonly loops: boolean;
  readonly instructions: number;
  /** Without refills. */
  readonly cycles: number;
}

/** Exact counts of what ran, and what it costs in cycles by the table. */
export interface CycleCount {
  instructions: number;
  /** Without refills of the pipeline. */
  cycles: number;
  /** Times that the program went on elsewhere than behind the last instruction. */
  refills: number;
}

/** A function of the program: where it begins, and its name. */
export interface CodeSymbol {
  readonly address: number;
  readonly name: string;
}

const instructionLine = /^0x([0-9a-f]{8}):\s+([0-9a-f]{4}(?: [0-9a-f]{4})?)\s+(\S+)\s*(.*)$/;
const runLine = /^Trace \d+: (0x[0-9a-f]+) \[[0-9a-f]+\/([0-9a-f]{8})\//;

/** Where the last instruction of a block goes, if that is told by a number: `#0x8000734`. */
function targetOf({ operands }: Instruction): number | undefined {
  const target = /#(0x[0-9a-f]+)$/.exec(operands)?.[1];
  return target === undefined ? undefined : Number(target);
}

/**
 * Follows the log of QEMU's `-d in_asm,exec,nochain` line by line and counts what functions execute with all that they
 * call. A function that is called from one that is counted already belongs to that one.
 *
 * QEMU logs a block before it looks whether its budget of instructions (icount) allows it; if not, it logs the block
 * again, or a shorter one from the same place. Such a first line is taken back, but for blocks that loop onto
 * themselves, where both look alike.
 */
export class CycleCounter {
  /** The last finished run of each function, by its name. */
  readonly counts = new Map<string, CycleCount>();
  private readonly entries: ReadonlyMap<number, string>;
  private readonly blocks = new Map<string, Block>();
  private listed: Instruction[] = [];
  private previous: Block | undefined;
  private active:
    | { readonly name: string; readonly returnAddress: number; readonly count: CycleCount }
    | undefined;

  constructor(functions: readonly CodeSymbol[]) {
    this.entries = new Map(functions.map(({ address, name }) => [address, name]));
  }

  line(text: string): void {
    const ran = runLine.exec(text);
    if (ran) {
      this.ran(this.blockOf(ran[1]!, Number.parseInt(ran[2]!, 16)));
      return;
    }
    if (text.startsWith('IN:')) this.listed = [];
    const listed = instructionLine.exec(text);
    if (!listed) return;
    const [, address, code, mnemonic, operands] = listed;
    this.listed.push({
      address: Number.parseInt(address!, 16),
      bytes: code!.length > 4 ? 4 : 2,
      mnemonic: mnemonic!,
      operands: operands!.trim(),
    });
  }

  /** The block at a place in QEMU's memory; one just listed is met there for the first time. */
  private blockOf(place: string, start: number): Block | undefined {
    if (this.listed[0]?.address === start) {
      const last = this.listed.at(-1)!;
      this.blocks.set(place, {
        start,
        end: last.address + last.bytes,
        loops: targetOf(last) === start,
        instructions: this.listed.length,
        cycles: this.listed.reduce((sum, one, i) => sum + cyclesOf(one, this.listed[i - 1]), 0),
      });
      this.listed = [];
    }
    return this.blocks.get(place);
  }

  private ran(block: Block | undefined): void {
    const before = this.previous;
    this.previous = block;
    if (!block) return;
    const again = before?.start === block.start && !(before === block && block.loops);
    if (again) this.add(before, -1);
    if (block.start === this.active?.returnAddress) {
      this.counts.set(this.active.name, this.active.count);
      this.active = undefined;
    }
    const name = this.entries.get(block.start);
    if (!this.active && name !== undefined && before) {
      this.active = { name, returnAddress: before.end, count: { instructions: 0, cycles: 0, refills: 0 } };
    }
    this.add(block, 1);
    if (this.active && before && !again && before.end !== block.start) this.active.count.refills++;
  }

  private add({ instructions, cycles }: Block, times: 1 | -1): void {
    if (!this.active) return;
    this.active.count.instructions += times * instructions;
    this.active.count.cycles += times * cycles;
  }
}
