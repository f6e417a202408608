import { checksum, DATA_HEADER_BYTES, type Packet, wordAt } from '../../esp/protocol.ts';

/** Reasons of the ROM, in the second byte of its status (esptool documentation). */
const ROM = { invalid: 0x05, failed: 0x06, checksum: 0x07, write: 0x08, inflate: 0x0b } as const;

/** Why a command is refused; the stub's words for it, both bytes of its status. */
const STUB_STATUS = {
  length: 0xc000,
  checksum: 0xc100,
  command: 0xc300,
  flash: 0xc400,
  notBegun: 0xc600,
  inflate: 0xc700,
  tooMuch: 0xc900,
} as const;
export type Reason = keyof typeof STUB_STATUS;

const ROM_REASON: Readonly<Record<Reason, number>> = {
  length: ROM.invalid,
  checksum: ROM.checksum,
  command: ROM.invalid,
  flash: ROM.write,
  notBegun: ROM.failed,
  inflate: ROM.inflate,
  tooMuch: ROM.failed,
};

export const statusOf = (reason: Reason, isStub: boolean): number =>
  isStub ? STUB_STATUS[reason] : 0x100 | ROM_REASON[reason];

export interface Answer {
  readonly value?: number;
  readonly body?: Uint8Array;
  /** What is done after the answer is out; a reason it fails with is told to the next command. */
  readonly after?: () => Reason | undefined;
}

export type Outcome = Answer | Reason;
export type Handler = (body: Uint8Array, packet: Packet) => Outcome;

export const DONE: Answer = {};

/** An answer whose deed comes after it and cannot fail. */
export const answerThen = (deed: () => void): Answer => ({
  after: () => {
    deed();
    return undefined;
  },
});

/** A command whose body has one length and no other. */
export const ofLength =
  (length: number, handler: (body: Uint8Array) => Outcome): Handler =>
  (body) =>
    body.length === length ? handler(body) : 'length';

/** What a data command carries, if its length and checksum are right. */
export function dataOf(body: Uint8Array, sum: number, limit: number): Uint8Array | Reason {
  if (body.length < DATA_HEADER_BYTES) return 'length';
  const data = body.subarray(DATA_HEADER_BYTES);
  if (wordAt(body, 0) !== data.length || data.length > limit) return 'length';
  return checksum(data) === sum ? data.slice() : 'checksum';
}

/** What all handlers have to know of the loader that they are part of. */
export interface LoaderMode {
  readonly isStub: boolean;
  /** Whether the wires to the flash are set up; the stub does that when it starts. */
  attached: boolean;
}
