/** Longest code, in bits: what indexes the decoder's table. */
const longest = 8;
/** Bytes behind the codes that the decoder may read. */
const spareBytes = 4;
/** In the table's length: the code is followed by the value itself. */
const escapeFlag = 0x80;

/** Lengths of Huffman's codes for these frequencies. */
function huffmanLengths(frequencies: readonly number[]): number[] {
  const lengths = frequencies.map(() => 0);
  let trees = frequencies.map((weight, i) => ({ weight, leaves: [i] }));
  while (trees.length > 1) {
    trees.sort((a, b) => a.weight - b.weight);
    const [first, second, ...rest] = trees as [(typeof trees)[number], (typeof trees)[number]];
    const leaves = [...first.leaves, ...second.leaves];
    for (const leaf of leaves) lengths[leaf]!++;
    trees = [{ weight: first.weight + second.weight, leaves }, ...rest];
  }
  return lengths;
}

interface Code {
  readonly bits: number;
  readonly length: number;
}

/** Codes in canonical order: shorter ones first. */
function canonical(lengths: readonly number[]): Code[] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const codes = new Array<Code>(lengths.length);
  let next = 0;
  let previous = 0;
  for (const i of order) {
    next *= 2 ** (lengths[i]! - previous);
    codes[i] = { bits: next, length: lengths[i]! };
    previous = lengths[i]!;
    next++;
  }
  return codes;
}

/**
 * The values that have codes, frequent ones, and lengths of all codes: the last one is of the escape, which stands before
 * any other value.
 */
function chooseCodes(bytes: Uint8Array): { values: number[]; lengths: number[] } {
  const frequencies = new Array<number>(256).fill(0);
  for (const byte of bytes) frequencies[byte]!++;
  const values = [...frequencies.keys()]
    .filter((value) => frequencies[value]! > 0)
    .sort((a, b) => frequencies[b]! - frequencies[a]! || a - b);
  let escaped = 1;
  for (;;) {
    const lengths = huffmanLengths([...values.map((value) => frequencies[value]!), escaped]);
    if (Math.max(...lengths) <= longest) return { values, lengths };
    escaped += frequencies[values.pop()!]!;
  }
}

/** Writes bits from the highest of each byte on. */
class BitWriter {
  private readonly bytes: number[] = [];
  private used = 0;

  write(bits: number, length: number): void {
    for (let i = length - 1; i >= 0; i--) {
      if (this.used % 8 === 0) this.bytes.push(0);
      this.bytes[this.bytes.length - 1]! |= ((bits >> i) & 1) << (7 - (this.used % 8));
      this.used++;
    }
  }

  finish(spare: number): Uint8Array {
    return Uint8Array.from([...this.bytes, ...new Array<number>(spare).fill(0)]);
  }
}

export interface EntropyCoded {
  readonly coded: Uint8Array;
  /** By the next eight bits: the value, and 256 times the length of its code. */
  readonly table: Int16Array;
}

/** Bytes in Huffman's codes of at most eight bits, with an escape for rare ones. */
export function entropyCode(bytes: Uint8Array): EntropyCoded {
  const { values, lengths } = chooseCodes(bytes);
  const codes = canonical(lengths);
  const forOthers = codes.at(-1)!;
  const byValue = new Map(values.map((value, i) => [value, codes[i]!]));
  const writer = new BitWriter();
  for (const byte of bytes) {
    const code = byValue.get(byte);
    if (code) writer.write(code.bits, code.length);
    else {
      writer.write(forOthers.bits, forOthers.length);
      writer.write(byte, 8);
    }
  }
  const table = new Int16Array(2 ** longest);
  for (const [i, { bits, length }] of codes.entries()) {
    const entry = i < values.length ? values[i]! | (length << 8) : (length | escapeFlag) << 8;
    const shift = longest - length;
    table.fill(entry, bits << shift, (bits + 1) << shift);
  }
  return { coded: writer.finish(spareBytes), table };
}
