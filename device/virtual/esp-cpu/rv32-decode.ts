/** What the interpreter does for an instruction; compressed ones are decoded to what they stand for. */
export const Op = {
  undecoded: 0,
  illegal: 1,
  lui: 2,
  auipc: 3,
  jal: 4,
  jalr: 5,
  beq: 6,
  bne: 7,
  blt: 8,
  bge: 9,
  bltu: 10,
  bgeu: 11,
  lb: 12,
  lh: 13,
  lw: 14,
  lbu: 15,
  lhu: 16,
  sb: 17,
  sh: 18,
  sw: 19,
  addi: 20,
  slti: 21,
  sltiu: 22,
  xori: 23,
  ori: 24,
  andi: 25,
  slli: 26,
  srli: 27,
  srai: 28,
  add: 29,
  sub: 30,
  sll: 31,
  slt: 32,
  sltu: 33,
  xor: 34,
  srl: 35,
  sra: 36,
  or: 37,
  and: 38,
  mul: 39,
  mulh: 40,
  mulhsu: 41,
  mulhu: 42,
  div: 43,
  divu: 44,
  rem: 45,
  remu: 46,
  fence: 47,
  fenceI: 48,
  ecall: 49,
  ebreak: 50,
  mret: 51,
  wfi: 52,
  csrrw: 53,
  csrrs: 54,
  csrrc: 55,
  csrrwi: 56,
  csrrsi: 57,
  csrrci: 58,
} as const;

export type Opcode = (typeof Op)[keyof typeof Op];

export interface Decoded {
  readonly op: Opcode;
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  /** Sign-extended immediate, shift amount, or number of a control register. */
  readonly immediate: number;
}

const bits = (word: number, low: number, count: number) => (word >>> low) & ((1 << count) - 1);
const signed = (value: number, width: number) => (value << (32 - width)) >> (32 - width);

function made(op: Opcode, rd = 0, rs1 = 0, rs2 = 0, immediate = 0): Decoded {
  return { op, rd, rs1, rs2, immediate };
}

const illegal = made(Op.illegal);

// Formats: RISC-V unprivileged specification 20191213, chapter 2.2 and 2.3.
const immediateI = (word: number) => word >> 20;
const immediateS = (word: number) => ((word >> 20) & ~31) | bits(word, 7, 5);
const immediateB = (word: number) =>
  ((word >> 19) & ~0xfff) | (bits(word, 7, 1) << 11) | (bits(word, 25, 6) << 5) | (bits(word, 8, 4) << 1);
const immediateJ = (word: number) =>
  ((word >> 11) & ~0xfffff) | (word & 0xff000) | (bits(word, 20, 1) << 11) | (bits(word, 21, 10) << 1);

const branches = [Op.beq, Op.bne, Op.illegal, Op.illegal, Op.blt, Op.bge, Op.bltu, Op.bgeu] as const;
const loads = [Op.lb, Op.lh, Op.lw, Op.illegal, Op.lbu, Op.lhu, Op.illegal, Op.illegal] as const;
const stores = [Op.sb, Op.sh, Op.sw] as const;
const immediates = [Op.addi, Op.slli, Op.slti, Op.sltiu, Op.xori, Op.srli, Op.ori, Op.andi] as const;
const registers = [Op.add, Op.sll, Op.slt, Op.sltu, Op.xor, Op.srl, Op.or, Op.and] as const;
const multiplies = [Op.mul, Op.mulh, Op.mulhsu, Op.mulhu, Op.div, Op.divu, Op.rem, Op.remu] as const;
const controls = [
  Op.illegal,
  Op.csrrw,
  Op.csrrs,
  Op.csrrc,
  Op.illegal,
  Op.csrrwi,
  Op.csrrsi,
  Op.csrrci,
] as const;
const systems: Readonly<Record<number, Opcode>> = {
  115: Op.ecall,
  1048691: Op.ebreak,
  807403635: Op.mret,
  273678451: Op.wfi,
};

function arithmeticImmediate(word: number, rd: number, rs1: number, funct3: number): Decoded {
  const op = immediates[funct3]!;
  if (op !== Op.slli && op !== Op.srli) return made(op, rd, rs1, 0, immediateI(word));
  const shift = bits(word, 20, 5);
  const funct7 = word >>> 25;
  if (funct7 === 0) return made(op, rd, rs1, 0, shift);
  return funct7 === 0x20 && op === Op.srli ? made(Op.srai, rd, rs1, 0, shift) : illegal;
}

function arithmetic(word: number, rd: number, rs1: number, rs2: number, funct3: number): Decoded {
  const funct7 = word >>> 25;
  if (funct7 === 1) return made(multiplies[funct3]!, rd, rs1, rs2);
  if (funct7 === 0) return made(registers[funct3]!, rd, rs1, rs2);
  if (funct7 === 0x20 && funct3 === 0) return made(Op.sub, rd, rs1, rs2);
  return funct7 === 0x20 && funct3 === 5 ? made(Op.sra, rd, rs1, rs2) : illegal;
}

function system(word: number, rd: number, rs1: number, funct3: number): Decoded {
  if (funct3 === 0) return made(systems[word] ?? Op.illegal);
  return made(controls[funct3]!, rd, rs1, 0, word >>> 20);
}

/** An instruction of 32 bits (RV32IM, Zicsr, Zifencei). */
export function decode(word: number): Decoded {
  const rd = bits(word, 7, 5);
  const funct3 = bits(word, 12, 3);
  const rs1 = bits(word, 15, 5);
  const rs2 = bits(word, 20, 5);
  switch (word & 0x7f) {
    case 0x37:
      return made(Op.lui, rd, 0, 0, word & ~0xfff);
    case 0x17:
      return made(Op.auipc, rd, 0, 0, word & ~0xfff);
    case 0x6f:
      return made(Op.jal, rd, 0, 0, immediateJ(word));
    case 0x67:
      return funct3 === 0 ? made(Op.jalr, rd, rs1, 0, immediateI(word)) : illegal;
    case 0x63:
      return made(branches[funct3]!, 0, rs1, rs2, immediateB(word));
    case 0x03:
      return made(loads[funct3]!, rd, rs1, 0, immediateI(word));
    case 0x23:
      return made(stores[funct3] ?? Op.illegal, 0, rs1, rs2, immediateS(word));
    case 0x13:
      return arithmeticImmediate(word, rd, rs1, funct3);
    case 0x33:
      return arithmetic(word, rd, rs1, rs2, funct3);
    case 0x0f:
      return made(funct3 === 1 ? Op.fenceI : Op.fence);
    case 0x73:
      return system(word, rd, rs1, funct3);
    default:
      return illegal;
  }
}

const SP = 2;
const RA = 1;

/** Registers 8 to 15, as most compressed instructions name them. */
const short = (half: number, low: number) => 8 + bits(half, low, 3);

const jumpOffset = (half: number) =>
  signed(
    (bits(half, 12, 1) << 11) |
      (bits(half, 11, 1) << 4) |
      (bits(half, 9, 2) << 8) |
      (bits(half, 8, 1) << 10) |
      (bits(half, 7, 1) << 6) |
      (bits(half, 6, 1) << 7) |
      (bits(half, 3, 3) << 1) |
      (bits(half, 2, 1) << 5),
    12,
  );
const branchOffset = (half: number) =>
  signed(
    (bits(half, 12, 1) << 8) |
      (bits(half, 10, 2) << 3) |
      (bits(half, 5, 2) << 6) |
      (bits(half, 3, 2) << 1) |
      (bits(half, 2, 1) << 5),
    9,
  );
const immediate6 = (half: number) => signed((bits(half, 12, 1) << 5) | bits(half, 2, 5), 6);
const wordOffset = (half: number) =>
  (bits(half, 5, 1) << 6) | (bits(half, 10, 3) << 3) | (bits(half, 6, 1) << 2);

function quadrant0(half: number): Decoded {
  const place =
    (bits(half, 11, 2) << 4) | (bits(half, 7, 4) << 6) | (bits(half, 6, 1) << 2) | (bits(half, 5, 1) << 3);
  switch (half >>> 13) {
    case 0:
      return place === 0 ? illegal : made(Op.addi, short(half, 2), SP, 0, place);
    case 2:
      return made(Op.lw, short(half, 2), short(half, 7), 0, wordOffset(half));
    case 6:
      return made(Op.sw, 0, short(half, 7), short(half, 2), wordOffset(half));
    default:
      return illegal;
  }
}

const shortArithmetic = [Op.sub, Op.xor, Op.or, Op.and] as const;

function quadrant1Arithmetic(half: number): Decoded {
  const rd = short(half, 7);
  const kind = bits(half, 10, 2);
  if (kind === 2) return made(Op.andi, rd, rd, 0, immediate6(half));
  if (kind === 3)
    return bits(half, 12, 1) ? illegal : made(shortArithmetic[bits(half, 5, 2)]!, rd, rd, short(half, 2));
  return bits(half, 12, 1) ? illegal : made(kind === 0 ? Op.srli : Op.srai, rd, rd, 0, bits(half, 2, 5));
}

function stackOrUpper(half: number): Decoded {
  const rd = bits(half, 7, 5);
  if (rd !== SP) return immediate6(half) === 0 ? illegal : made(Op.lui, rd, 0, 0, immediate6(half) << 12);
  const offset = signed(
    (bits(half, 12, 1) << 9) |
      (bits(half, 6, 1) << 4) |
      (bits(half, 5, 1) << 6) |
      (bits(half, 3, 2) << 7) |
      (bits(half, 2, 1) << 5),
    10,
  );
  return offset === 0 ? illegal : made(Op.addi, SP, SP, 0, offset);
}

function quadrant1(half: number): Decoded {
  const rd = bits(half, 7, 5);
  switch (half >>> 13) {
    case 0:
      return made(Op.addi, rd, rd, 0, immediate6(half));
    case 1:
      return made(Op.jal, RA, 0, 0, jumpOffset(half));
    case 2:
      return made(Op.addi, rd, 0, 0, immediate6(half));
    case 3:
      return stackOrUpper(half);
    case 4:
      return quadrant1Arithmetic(half);
    case 5:
      return made(Op.jal, 0, 0, 0, jumpOffset(half));
    default:
      return made(half >>> 13 === 6 ? Op.beq : Op.bne, 0, short(half, 7), 0, branchOffset(half));
  }
}

function quadrant2Jumps(half: number): Decoded {
  const rd = bits(half, 7, 5);
  const rs2 = bits(half, 2, 5);
  const links = bits(half, 12, 1) === 1;
  if (rs2 !== 0) return made(Op.add, rd, links ? rd : 0, rs2);
  if (rd === 0) return links ? made(Op.ebreak) : illegal;
  return made(Op.jalr, links ? RA : 0, rd, 0, 0);
}

function quadrant2(half: number): Decoded {
  const rd = bits(half, 7, 5);
  switch (half >>> 13) {
    case 0:
      return bits(half, 12, 1) ? illegal : made(Op.slli, rd, rd, 0, bits(half, 2, 5));
    case 2:
      return rd === 0
        ? illegal
        : made(
            Op.lw,
            rd,
            SP,
            0,
            (bits(half, 12, 1) << 5) | (bits(half, 4, 3) << 2) | (bits(half, 2, 2) << 6),
          );
    case 4:
      return quadrant2Jumps(half);
    case 6:
      return made(Op.sw, 0, SP, bits(half, 2, 5), (bits(half, 9, 4) << 2) | (bits(half, 7, 2) << 6));
    default:
      return illegal;
  }
}

/** An instruction of 16 bits (RV32C; RISC-V unprivileged specification 20191213, chapter 16). */
export function decodeCompressed(half: number): Decoded {
  const quadrant = half & 3;
  return quadrant === 0 ? quadrant0(half) : quadrant === 1 ? quadrant1(half) : quadrant2(half);
}
