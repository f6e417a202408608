/** One instruction as QEMU's disassembler writes it: `0x08000736:  4b0b       ldr      r3, [pc, #0x2c]`. */
export interface Instruction {
  readonly address: number;
  readonly bytes: number;
  readonly mnemonic: string;
  readonly operands: string;
}

const conditions = '(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)';
const divisionCycles = 12;
const floatDivisionCycles = 14;

/** What the cost of an instruction depends on. */
type Kind = 'load' | 'store' | 'other';

function baseName(mnemonic: string): string {
  return mnemonic.toLowerCase().replace(/\.(?:w|n|f32|s32|u32|32|f64).*$/, '');
}

const singleLoad = new RegExp(`^ldr(?:b|h|sb|sh)?t?${conditions}?$`);
const singleStore = new RegExp(`^str(?:b|h)?t?${conditions}?$`);
const block = new RegExp(`^(?:ldm|stm|push|pop|vldm|vstm|vpush|vpop)(?:ia|db)?${conditions}?$`);
const double = new RegExp(`^(?:ldrd|strd)${conditions}?$`);

/** Registers in `{r4, r5-r7, lr}`. */
function listLength(operands: string): number {
  const list = /\{([^}]*)\}/.exec(operands)?.[1] ?? '';
  return list.split(',').reduce((count, part) => {
    const [first, last] = part
      .trim()
      .split('-')
      .map((name) => Number(name.trim().replace(/^\D+/, '')));
    return count + (last === undefined || first === undefined ? 1 : last - first + 1);
  }, 0);
}

function kindOf({ mnemonic }: Instruction): Kind {
  const name = baseName(mnemonic);
  if (singleLoad.test(name)) return 'load';
  return singleStore.test(name) ? 'store' : 'other';
}

/** Registers in the brackets of a load or store, without one that only an index adds. */
function addressRegisters(operands: string): string[] {
  const inside = /\[([^\]]*)\]/.exec(operands)?.[1] ?? '';
  return inside
    .split(',')
    .map((part) => part.trim().split(' ')[0]!)
    .filter((part) => /^(?:r\d+|s[bl]|fp|ip|sp|lr)$/.test(part));
}

/** The first operand, which is what most instructions write. */
const destination = ({ operands }: Instruction) => /^(\w+)/.exec(operands)?.[1];

/** Instructions that name no register as their result first, though their first operand is one. */
const writesNothing = new RegExp(
  `^(?:cmp|cmn|tst|teq|str.*|stm.*|push|b|bl|bx|blx|cbn?z|it[te]*|nop|v.*)${conditions}?$`,
);

const moveTwo = /^(?:s\d+, s\d+, r\w+|r\w+, r\w+, [sd])/;

function loneCost(instruction: Instruction): number {
  const name = baseName(instruction.mnemonic);
  const { operands } = instruction;
  if (singleLoad.test(name)) return 2;
  if (singleStore.test(name)) return 1;
  if (double.test(name)) return 3;
  if (block.test(name)) return 1 + listLength(operands);
  if (/^[su]div/.test(name)) return divisionCycles;
  if (/^tb[bh]/.test(name)) return 2;
  if (/^v(?:div|sqrt)/.test(name)) return floatDivisionCycles;
  if (/^vf?n?m(?:la|ls|a|s)/.test(name)) return 3;
  if (/^v(?:ldr|str)/.test(name)) return 2;
  if (/^vmov/.test(name)) return moveTwo.test(operands) ? 2 : 1;
  return /^(?:mrs|msr)/.test(name) ? 2 : 1;
}

/**
 * Cycles of an instruction after the one before it, without the refill of the pipeline where the program goes on
 * elsewhere (Cortex-M4 Technical Reference Manual, ARM 100166, tables 3-1 and 7-1 and section 3.3.3):
 * one for all data processing, multiplications with accumulation too; 2 for a load, 1 for each load right behind
 * another load; 1 for a store; 1 + N for N registers; divisions at their worst, 12; 1 more where an address comes out
 * of the instruction before.
 */
export function cyclesOf(instruction: Instruction, before: Instruction | undefined): number {
  const cost = loneCost(instruction);
  const kind = kindOf(instruction);
  if (!before || kind === 'other') return cost;
  const made = writesNothing.test(baseName(before.mnemonic)) ? undefined : destination(before);
  const waits = made !== undefined && addressRegisters(instruction.operands).includes(made);
  if (waits) return cost + 1;
  return kind === 'load' && kindOf(before) === 'load' ? cost - 1 : cost;
}
