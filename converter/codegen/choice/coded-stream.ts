import type { TensorData } from '../../ir/types.ts';
import { entropyCode } from './entropy-code.ts';

/** How a stream of constants is made up, in words: `prefix`, then groups of `head`, `body` of weights, and `tail`. */
export interface StreamLayout {
  readonly prefix: number;
  readonly groups: number;
  readonly head: number;
  readonly body: number;
  readonly tail: number;
  /** Whether halves of the weights' words are c0 + 256 * c1. */
  readonly dual: boolean;
}

/** A stream in its coded form, for tml_decode.h. */
export interface CodedStream {
  readonly kernel: 'decode_lookup' | 'decode_entropy';
  readonly params: Readonly<Record<string, number>>;
  /** What is not coded. */
  readonly words: Int32Array;
  readonly coded: Uint8Array;
  readonly table: TensorData;
  /** Bytes of the stream that it becomes. */
  readonly streamBytes: number;
  /** Bytes in flash. */
  readonly bytes: number;
  /** Instructions to decode it, about. */
  readonly instructions: number;
}

/** Instructions for a weight: codes of four bits, of other fixed lengths, of lengths of their own (measured). */
const weightCost = { nibble: 7, fixed: 11, entropy: 18 } as const;
const largestTable = 64;

interface Parts {
  readonly words: number[];
  /** Weights by themselves, byte by byte. */
  readonly weights: Uint8Array;
}

/** Bytes of a word, with the dual form's second channel given back what the first one's sign took. */
function bytesOf(word: number, dual: boolean): number[] {
  const halves = [word & 0xffff, word >>> 16];
  return halves.flatMap((half) => {
    const low = half & 0xff;
    const high = (half >> 8) + (dual && low > 127 ? 1 : 0);
    return [low, high & 0xff];
  });
}

function partsOf(stream: Int32Array, { prefix, groups, head, body, tail, dual }: StreamLayout): Parts {
  const words = [...stream.subarray(0, prefix)];
  const weights: number[] = [];
  const size = head + body + tail;
  for (let group = 0; group < groups; group++) {
    const from = prefix + group * size;
    words.push(...stream.subarray(from, from + head));
    for (const word of stream.subarray(from + head, from + head + body)) weights.push(...bytesOf(word, dual));
    words.push(...stream.subarray(from + head + body, from + size));
  }
  return { words, weights: Uint8Array.from(weights) };
}

/** Codes of a fixed length, from the lowest bit of each byte on. */
function fixedCodes(codes: readonly number[], bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((codes.length * bits) / 8));
  for (const [i, code] of codes.entries())
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit;
      bytes[at >> 3]! |= ((code >> bit) & 1) << (at & 7);
    }
  return bytes;
}

type Coding = Pick<CodedStream, 'kernel' | 'coded' | 'table'> & {
  readonly bits: number;
  readonly each: number;
};

function lookupCoding(weights: Uint8Array): Coding | undefined {
  const values = [...new Set(weights)].sort((a, b) => a - b);
  if (values.length > largestTable) return undefined;
  const bits = Math.max(1, Math.ceil(Math.log2(values.length)));
  const numbers = new Map(values.map((value, i) => [value, i]));
  const coded = fixedCodes(
    [...weights].map((weight) => numbers.get(weight)!),
    bits,
  );
  const each = bits === 4 ? weightCost.nibble : weightCost.fixed;
  return { kernel: 'decode_lookup', coded, table: Uint8Array.from(values), bits, each };
}

function entropyCoding(weights: Uint8Array): Coding {
  const { coded, table } = entropyCode(weights);
  return { kernel: 'decode_entropy', coded, table, bits: 0, each: weightCost.entropy };
}

/** The coded forms of a stream that take less flash than it, the smallest first. */
export function codedStreams(stream: Int32Array, layout: StreamLayout): CodedStream[] {
  const { words, weights } = partsOf(stream, layout);
  const { dual, ...numbers } = layout;
  const codings = [lookupCoding(weights), entropyCoding(weights)].flatMap((coding) => coding ?? []);
  return codings
    .map(
      ({ kernel, coded, table, bits, each }): CodedStream => ({
        kernel,
        params: { ...numbers, bits, dual: dual ? 1 : 0 },
        words: Int32Array.from(words),
        coded,
        table,
        streamBytes: stream.byteLength,
        bytes: 4 * words.length + coded.byteLength + table.byteLength,
        instructions: each * weights.length,
      }),
    )
    .filter(({ bytes }) => bytes < stream.byteLength)
    .sort((a, b) => a.bytes - b.bytes);
}
