/** What the interpreter does for an instruction; narrow ones are decoded to what they stand for. */
export const Op = {
  undecoded: 0,
  illegal: 1,
  and: 2,
  or: 3,
  xor: 4,
  add: 5,
  addx2: 6,
  addx4: 7,
  addx8: 8,
  sub: 9,
  subx2: 10,
  subx4: 11,
  subx8: 12,
  neg: 13,
  abs: 14,
  slli: 15,
  srai: 16,
  srli: 17,
  src: 18,
  srl: 19,
  sll: 20,
  sra: 21,
  mul16u: 22,
  mul16s: 23,
  mull: 24,
  muluh: 25,
  mulsh: 26,
  quou: 27,
  quos: 28,
  remu: 29,
  rems: 30,
  sext: 31,
  clamps: 32,
  min: 33,
  max: 34,
  minu: 35,
  maxu: 36,
  moveqz: 37,
  movnez: 38,
  movltz: 39,
  movgez: 40,
  extui: 41,
  l32r: 42,
  l8ui: 43,
  l16ui: 44,
  l16si: 45,
  l32i: 46,
  s8i: 47,
  s16i: 48,
  s32i: 49,
  movi: 50,
  addi: 51,
  call0: 52,
  callx0: 53,
  callx8: 54,
  jx: 55,
  j: 56,
  beqz: 57,
  bnez: 58,
  bltz: 59,
  bgez: 60,
  beqi: 61,
  bnei: 62,
  blti: 63,
  bgei: 64,
  bltui: 65,
  bgeui: 66,
  bnone: 67,
  beq: 68,
  blt: 69,
  bltu: 70,
  ball: 71,
  bbc: 72,
  bbci: 73,
  bany: 74,
  bne: 75,
  bge: 76,
  bgeu: 77,
  bnall: 78,
  bbs: 79,
  bbsi: 80,
  ssr: 81,
  ssl: 82,
  ssa8l: 83,
  ssai: 84,
  nsa: 85,
  nsau: 86,
  nop: 87,
  rsr: 88,
  wsr: 89,
  xsr: 90,
  rsil: 91,
  syscall: 92,
  rfe: 93,
  adds: 94,
  subs: 95,
  muls: 96,
  floats: 97,
  ufloats: 98,
  truncs: 99,
  rfr: 100,
  wfr: 101,
} as const;

export type Opcode = (typeof Op)[keyof typeof Op];

export interface Decoded {
  readonly op: Opcode;
  /** Registers: what is written, and what is read. */
  readonly d: number;
  readonly a: number;
  readonly b: number;
  /** Number, shift, mask, absolute target or address of a literal. */
  readonly immediate: number;
  /** A second one: the number that a branch compares with, or where a mask begins. */
  readonly second: number;
}

function made(op: Opcode, d = 0, a = 0, b = 0, immediate = 0, second = 0): Decoded {
  return { op, d, a, b, immediate, second };
}

const illegal = made(Op.illegal);
const signed = (value: number, width: number) => (value << (32 - width)) >> (32 - width);

/** Numbers that branches compare with (Xtensa ISA manual, tables of b4const and b4constu). */
const B4 = [-1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256] as const;
const B4U = [32768, 65536, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32, 64, 128, 256] as const;

interface Fields {
  readonly pc: number;
  readonly word: number;
  readonly t: number;
  readonly s: number;
  readonly r: number;
  readonly op1: number;
  readonly op2: number;
  readonly imm8: number;
}

function jumps({ t, s }: Fields): Decoded {
  if (t === 8) return made(Op.jx, 0, 0);
  if (t === 10) return made(Op.jx, 0, s);
  if (t === 12) return made(Op.callx0, 0, s);
  return t === 14 ? made(Op.callx8, 0, s) : illegal;
}

function st0(fields: Fields): Decoded {
  const { r, s, t } = fields;
  if (r === 0) return jumps(fields);
  if (r === 2) return made(Op.nop);
  if (r === 3) return t === 0 && s === 0 ? made(Op.rfe) : illegal;
  if (r === 5) return made(Op.syscall);
  return r === 6 ? made(Op.rsil, t, 0, 0, s) : illegal;
}

function st1({ r, s, t }: Fields): Decoded {
  if (r === 0) return made(Op.ssr, 0, s);
  if (r === 1) return made(Op.ssl, 0, s);
  if (r === 2) return made(Op.ssa8l, 0, s);
  if (r === 4) return made(Op.ssai, 0, 0, 0, s | ((t & 1) << 4));
  if (r === 14) return made(Op.nsa, t, s);
  return r === 15 ? made(Op.nsau, t, s) : illegal;
}

const rst0Ops: Readonly<Record<number, Opcode>> = {
  1: Op.and,
  2: Op.or,
  3: Op.xor,
  8: Op.add,
  9: Op.addx2,
  10: Op.addx4,
  11: Op.addx8,
  12: Op.sub,
  13: Op.subx2,
  14: Op.subx4,
  15: Op.subx8,
};

function rst0(fields: Fields): Decoded {
  const { op2, r, s, t } = fields;
  if (op2 === 0) return st0(fields);
  if (op2 === 4) return st1(fields);
  if (op2 === 6) return s > 1 ? illegal : made(s === 0 ? Op.neg : Op.abs, r, 0, t);
  return made(rst0Ops[op2] ?? Op.illegal, r, s, t);
}

const rst1Ops: Readonly<Record<number, Opcode>> = {
  8: Op.src,
  9: Op.srl,
  10: Op.sll,
  11: Op.sra,
  12: Op.mul16u,
  13: Op.mul16s,
};

function rst1({ word, op2, r, s, t }: Fields): Decoded {
  if (op2 < 2) return made(Op.slli, r, s, 0, 32 - (t | (op2 << 4)));
  if (op2 < 4) return made(Op.srai, r, 0, t, s | ((op2 & 1) << 4));
  if (op2 === 4) return made(Op.srli, r, 0, t, s);
  if (op2 === 6) return made(Op.xsr, t, t, 0, (word >> 8) & 255);
  return made(rst1Ops[op2] ?? Op.illegal, r, s, t);
}

const rst2Ops: Readonly<Record<number, Opcode>> = {
  8: Op.mull,
  10: Op.muluh,
  11: Op.mulsh,
  12: Op.quou,
  13: Op.quos,
  14: Op.remu,
  15: Op.rems,
};

const rst3Ops: Readonly<Record<number, Opcode>> = {
  4: Op.min,
  5: Op.max,
  6: Op.minu,
  7: Op.maxu,
  8: Op.moveqz,
  9: Op.movnez,
  10: Op.movltz,
  11: Op.movgez,
};

function rst3({ word, op2, r, s, t }: Fields): Decoded {
  const special = (word >> 8) & 255;
  if (op2 === 0) return made(Op.rsr, t, 0, 0, special);
  if (op2 === 1) return made(Op.wsr, 0, t, 0, special);
  if (op2 === 2) return made(Op.sext, r, s, 0, 24 - t);
  if (op2 === 3) return made(Op.clamps, r, s, 0, t + 7);
  return made(rst3Ops[op2] ?? Op.illegal, r, s, t);
}

const floatOps: Readonly<Record<number, Opcode>> = {
  0: Op.adds,
  1: Op.subs,
  2: Op.muls,
  9: Op.truncs,
  12: Op.floats,
  13: Op.ufloats,
};

function float({ op2, r, s, t }: Fields): Decoded {
  if (op2 !== 15) return made(floatOps[op2] ?? Op.illegal, r, s, t);
  return t === 4 || t === 5 ? made(t === 4 ? Op.rfr : Op.wfr, r, s) : illegal;
}

function qrst(fields: Fields): Decoded {
  const { op1, op2, r, s, t } = fields;
  if (op1 === 0) return rst0(fields);
  if (op1 === 1) return rst1(fields);
  if (op1 === 2) return made(rst2Ops[op2] ?? Op.illegal, r, s, t);
  if (op1 === 3) return rst3(fields);
  if (op1 === 10) return float(fields);
  if (op1 === 4 || op1 === 5) return made(Op.extui, r, 0, t, (2 << op2) - 1, s | ((op1 & 1) << 4));
  return illegal;
}

function lsai({ r, s, t, imm8 }: Fields): Decoded {
  switch (r) {
    case 0:
      return made(Op.l8ui, t, s, 0, imm8);
    case 1:
      return made(Op.l16ui, t, s, 0, imm8 << 1);
    case 2:
      return made(Op.l32i, t, s, 0, imm8 << 2);
    case 4:
      return made(Op.s8i, 0, s, t, imm8);
    case 5:
      return made(Op.s16i, 0, s, t, imm8 << 1);
    case 6:
      return made(Op.s32i, 0, s, t, imm8 << 2);
    case 9:
      return made(Op.l16si, t, s, 0, imm8 << 1);
    case 10:
      return made(Op.movi, t, 0, 0, signed((s << 8) | imm8, 12));
    case 12:
      return made(Op.addi, t, s, 0, signed(imm8, 8));
    case 13:
      return made(Op.addi, t, s, 0, signed(imm8, 8) << 8);
    default:
      return illegal;
  }
}

const zeroBranches = [Op.beqz, Op.bnez, Op.bltz, Op.bgez] as const;
const numberBranches = [Op.beqi, Op.bnei, Op.blti, Op.bgei] as const;

function si({ pc, word, s, r, imm8 }: Fields): Decoded {
  const kind = (word >> 4) & 3;
  const which = (word >> 6) & 3;
  const near = pc + 4 + signed(imm8, 8);
  if (kind === 0) return made(Op.j, 0, 0, 0, pc + 4 + signed(word >> 6, 18));
  if (kind === 1) return made(zeroBranches[which]!, 0, s, 0, pc + 4 + signed(word >> 12, 12));
  if (kind === 2) return made(numberBranches[which]!, 0, s, 0, near, B4[r]!);
  return which < 2 ? illegal : made(which === 2 ? Op.bltui : Op.bgeui, 0, s, 0, near, B4U[r]!);
}

const branches = [
  Op.bnone,
  Op.beq,
  Op.blt,
  Op.bltu,
  Op.ball,
  Op.bbc,
  Op.bbci,
  Op.bbci,
  Op.bany,
  Op.bne,
  Op.bge,
  Op.bgeu,
  Op.bnall,
  Op.bbs,
  Op.bbsi,
  Op.bbsi,
] as const;

function branch({ pc, r, s, t, imm8 }: Fields): Decoded {
  return made(branches[r]!, 0, s, t, pc + 4 + signed(imm8, 8), t | ((r & 1) << 4));
}

function narrowBranchOrNumber({ pc, r, s, t }: Fields): Decoded {
  if (t < 8) {
    const number = r | ((t & 7) << 4);
    return made(Op.movi, s, 0, 0, number >= 96 ? number - 128 : number);
  }
  return made(t < 12 ? Op.beqz : Op.bnez, 0, s, 0, pc + 4 + (r | ((t & 3) << 4)));
}

function narrowRest({ r, s, t }: Fields): Decoded {
  if (r === 0) return made(Op.or, t, s, s);
  if (r !== 15) return illegal;
  if (t === 0) return made(Op.jx, 0, 0);
  return t === 3 ? made(Op.nop) : illegal;
}

/** Bytes of the instruction that begins with a byte. */
export const lengthOf = (first: number): number => ((first & 15) < 8 ? 3 : 2);

/**
 * The instruction at `pc` from its bytes, the first one lowest: the core, density, 16 and 32-bit multiplication,
 * division, min, max, sext and clamps options, and of the floating point option what is used, without register windows (Xtensa ISA Reference Manual, chapter 7).
 */
export function decode(word: number, pc: number): Decoded {
  const part = (low: number) => (word >> low) & 15;
  const [t, s, r, op1, op2] = [part(4), part(8), part(12), part(16), part(20)] as const;
  const fields: Fields = { pc, word, t, s, r, op1, op2, imm8: (word >> 16) & 255 };
  switch (word & 15) {
    case 0:
      return qrst(fields);
    case 1:
      return made(Op.l32r, t, 0, 0, (((pc + 3) & ~3) + (((word >> 6) & 0x3fffc) | ~0x3ffff)) >>> 0);
    case 2:
      return lsai(fields);
    case 5:
      return ((word >> 4) & 3) === 0
        ? made(Op.call0, 0, 0, 0, (pc & ~3) + 4 + (signed(word >> 6, 18) << 2))
        : illegal;
    case 6:
      return si(fields);
    case 7:
      return branch(fields);
    case 8:
      return made(Op.l32i, t, s, 0, r << 2);
    case 9:
      return made(Op.s32i, 0, s, t, r << 2);
    case 10:
      return made(Op.add, r, s, t);
    case 11:
      return made(Op.addi, r, s, 0, t === 0 ? -1 : t);
    case 12:
      return narrowBranchOrNumber(fields);
    case 13:
      return narrowRest(fields);
    default:
      return illegal;
  }
}
