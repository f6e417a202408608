import { bootProblems } from '../console/esp-boot-log.ts';
import { boardSilent, excerpt, wrongFirmware, wrongModel } from '../errors.ts';
import type { BenchLink } from './bench-link.ts';
import { ANSWER_BIT, PROTOCOL_VERSION, READY, REQUEST } from './frames.ts';
import { type BoardHello, helloVersion, parseHello } from './hello.ts';

/** All waits of the client, in milliseconds. */
export interface BenchTimeouts {
  readonly resetHoldMs: number;
  /** From reset to the first sensible word, all attempts together. */
  readonly connectMs: number;
  /** Between two hellos while connecting. */
  readonly helloMs: number;
  /** For an answer that needs no work, before the request is repeated, and in all. */
  readonly answerMs: number;
  readonly answerTotalMs: number;
  /** The same for an inference. */
  readonly runMs: number;
  readonly runTotalMs: number;
}

export const defaultTimeouts: BenchTimeouts = {
  resetHoldMs: 20,
  connectMs: 10_000,
  helloMs: 400,
  answerMs: 250,
  answerTotalMs: 10_000,
  runMs: 1_000,
  runTotalMs: 120_000,
};

/** What the host knows about the board it wants; what is absent is not checked. */
export interface Expectations {
  /** Sixteen hexadecimal digits. */
  readonly modelHash?: string;
  readonly board?: string;
  readonly clockHz?: number;
}

const BOOTLOADER_BYTES = new Set([0x79, 0x1f]);

/** Asks until the board says what it is, or until it is clear that it will not. After a reset it speaks first. */
export async function meetBoard(
  link: BenchLink,
  timeouts: BenchTimeouts,
  afterReset: boolean,
): Promise<BoardHello> {
  const { clock, name } = link.transport;
  const until = clock.now() + timeouts.connectMs;
  for (let round = 0; clock.now() < until; round++) {
    const asks = round > 0 || !afterReset;
    const seq = asks ? await link.send(REQUEST.hello, new Uint8Array(0)) : undefined;
    const next = Math.min(until, clock.now() + timeouts.helloMs);
    do {
      for (const frame of await link.listen(next - clock.now())) {
        const answers = frame.type === (REQUEST.hello | ANSWER_BIT) && frame.seq === seq;
        if (frame.type === READY || answers) return readHello(frame.body, name);
        link.checkUnasked(frame, 'start');
      }
    } while (clock.now() < next);
  }
  throw explainSilence(link);
}

function readHello(body: Uint8Array, port: string): BoardHello {
  const version = helloVersion(body);
  if (version !== PROTOCOL_VERSION) {
    throw wrongFirmware(port, `it speaks version ${version} of the protocol, not ${PROTOCOL_VERSION}`);
  }
  const hello = parseHello(body);
  if (!hello) throw wrongFirmware(port, `its greeting of ${body.length} bytes makes no sense`);
  return hello;
}

function explainSilence(link: BenchLink): Error {
  const { name } = link.transport;
  if (link.bytesHeard === 0) return boardSilent(name);
  // That a watchdog restarted the chip says nothing: flashing does it in that way.
  const problem = bootProblems(Buffer.from(link.noise).toString('latin1')).find(
    ({ kind }) => kind !== 'watchdog',
  );
  if (problem) return wrongFirmware(name, problem.what, problem.measure);
  if (link.noise.every((byte) => BOOTLOADER_BYTES.has(byte)) && link.noise.length > 0) {
    return wrongFirmware(name, 'its factory boot loader answers (BOOT0 is high)');
  }
  return wrongFirmware(name, `it says ${excerpt(link.noise)}`);
}

/** E_WRONG_FIRMWARE, E_WRONG_MODEL when the board is not the one expected. */
export function checkHello(hello: BoardHello, port: string, expected: Expectations): void {
  if (expected.board !== undefined && hello.board !== expected.board) {
    throw wrongFirmware(port, `it was built for board "${hello.board}", not "${expected.board}"`);
  }
  if (expected.modelHash !== undefined && hello.modelHash !== expected.modelHash.toLowerCase()) {
    throw wrongModel(hello.modelHash, expected.modelHash);
  }
}
