import { BodyReader } from './body-reader.ts';

/** What one tick of the board's stopwatch is. */
export type TickUnit = 'cycle' | 'instruction' | 'timer';

const TICK_UNITS: readonly TickUnit[] = ['cycle', 'instruction', 'timer'];
const FLAG_INPUT_KEPT = 1;
const HASH_BYTES = 8;

/** What a board says about itself and its model. */
export interface BoardHello {
  readonly protocol: number;
  /** Whether an inference leaves the input as it was loaded. */
  readonly inputKept: boolean;
  readonly tickUnit: TickUnit;
  readonly tickHz: number;
  readonly clockHz: number;
  /** Sixteen hexadecimal digits. */
  readonly modelHash: string;
  readonly layers: number;
  readonly inputBytes: readonly number[];
  readonly outputBytes: readonly number[];
  readonly board: string;
}

/** The version alone, so that another version's hello is known for what it is; undefined when there is none. */
export function helloVersion(body: Uint8Array): number | undefined {
  return body[0];
}

/** Undefined when the body is no hello of version 1. */
export function parseHello(body: Uint8Array): BoardHello | undefined {
  const reader = new BodyReader(body);
  const protocol = reader.u8();
  const flags = reader.u8();
  const tickUnit = TICK_UNITS[reader.u8()];
  reader.u8();
  const tickHz = reader.u32();
  const clockHz = reader.u32();
  const modelHash = Buffer.from(reader.raw(HASH_BYTES)).toString('hex');
  const layers = reader.u16();
  const inputs = reader.u8();
  const outputs = reader.u8();
  const inputBytes = reader.u32s(inputs);
  const outputBytes = reader.u32s(outputs);
  const board = Buffer.from(reader.raw(reader.u8())).toString('latin1');
  if (!reader.exact || tickUnit === undefined || !/^[\x20-\x7e]*$/.test(board)) return undefined;
  const inputKept = (flags & FLAG_INPUT_KEPT) !== 0;
  return {
    protocol,
    inputKept,
    tickUnit,
    tickHz,
    clockHz,
    modelHash,
    layers,
    inputBytes,
    outputBytes,
    board,
  };
}
