import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checksum, type Frame, frameBytes, parseFrame } from './bench-client.ts';
import { randomSource } from './random.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-protocol-'));
const program = join(folder, 'harness');
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  const inFirmware = (path: string) => join(root, 'firmware-templates', path);
  const inFixtures = (path: string) => join(root, 'tests/firmware/fixtures', path);
  // biome-ignore format: flags, folders, sources
  execFileSync('gcc', [
    '-std=c99', '-O1', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror',
    '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
    '-I', inFirmware('bench'), '-I', inFirmware('kernels'), '-I', inFixtures('native'),
    inFirmware('bench/tml_bench.c'), inFixtures('native/harness.c'), inFixtures('model.c'), '-o', program,
  ]);
});

/** Frames of what the program answers to `input`, without the ready frame; every byte must belong to a frame. */
function answers(input: Uint8Array): Frame[] {
  const output = execFileSync(program, { input, maxBuffer: 1 << 28 });
  const frames: Frame[] = [];
  for (let start = 0; start < output.length; ) {
    const end = output.indexOf(0, start);
    if (end > start) {
      const frame = parseFrame(output.subarray(start, end));
      if (!frame) throw new Error('the device sent a frame that does not decode');
      frames.push(frame);
    }
    start = end + 1;
  }
  expect(frames[0]?.type).toBe(0xf1);
  return frames.slice(1);
}

const bytes = (...values: number[]) => Buffer.from(values);

function u32(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    buffer.writeUInt32LE(value, index * 4);
  });
  return buffer;
}

const ask = (...requests: [type: number, body?: Uint8Array][]) =>
  answers(Buffer.concat(requests.map(([type, body], index) => frameBytes(type, index + 1, body ?? bytes()))));

const refusal = (type: number, reason: number) => ({ type: 0xff, body: bytes(type, reason) });

const INPUT = bytes(...Array.from({ length: 16 }, (_, index) => index));
const WEIGHTS = Array.from({ length: 16 }, (_, index) => (index % 2 ? -index - 1 : index + 1));
const SCALED = INPUT.map((value, index) => value * WEIGHTS[index]!);
const OUTPUT = bytes(...Array.from({ length: 8 }, (_, index) => SCALED[index]! + SCALED[index + 8]! + 42));

function fnv1a(data: Uint8Array): number {
  return data.reduce((hash, byte) => Math.imul(hash ^ byte, 16777619) >>> 0, 2166136261);
}

const load = (data: Uint8Array, offset = 0): [number, Buffer] => [
  0x02,
  Buffer.concat([bytes(0), u32(offset), data]),
];

describe('the benchmark protocol', () => {
  it('answers hello with the model, the board and the clocks', () => {
    const [hello] = ask([0x01]);
    expect(hello).toEqual({
      type: 0x81,
      sequence: 1,
      body: Buffer.concat([
        bytes(1, 0, 2, 0),
        u32(168_000_000, 168_000_000),
        bytes(0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe),
        bytes(4, 0, 1, 1),
        u32(16, 8),
        bytes(6),
        Buffer.from('native'),
      ]),
    });
  });

  it('loads, runs and reads an inference', () => {
    const read = bytes(0, 0, 0, 0, 0, 8, 0);
    const [loaded, ran, output] = ask(load(INPUT), [0x03, u32(7, 9)], [0x04, read]);
    expect(loaded?.body).toEqual(u32(checksum(INPUT)));
    expect(ran?.body.subarray(0, 8)).toEqual(u32(7, 9));
    expect(output?.body).toEqual(OUTPUT);
  });

  it('loads and reads in pieces', () => {
    const piece = (from: number): [number, Buffer] => load(INPUT.subarray(from, from + 4), from);
    const all = ask(
      piece(12),
      piece(4),
      piece(0),
      piece(8),
      [0x03, u32(0, 0)],
      [0x04, bytes(0, 5, 0, 0, 0, 3, 0)],
    );
    expect(all[5]?.body).toEqual(OUTPUT.subarray(5));
  });

  it('times and hashes every layer of a profile', () => {
    const [, profile, ticks, hashes] = ask(
      load(INPUT),
      [0x05, u32(3)],
      [0x06, bytes(1, 0, 3, 0)],
      [0x07, bytes(0, 0, 4, 0)],
    );
    expect(profile?.body).toEqual(Buffer.concat([u32(3), bytes(4, 0)]));
    expect(ticks?.body.length).toBe(4 + 3 * 4);
    expect(hashes?.body.subarray(4)).toEqual(u32(fnv1a(SCALED), fnv1a(OUTPUT), fnv1a(OUTPUT), fnv1a(OUTPUT)));
  });

  it('gives a repeated run its first answer, since the input is used up', () => {
    const run = frameBytes(0x03, 2, u32(1, 1));
    const read = frameBytes(0x04, 3, bytes(0, 0, 0, 0, 0, 8, 0));
    const [, first, second, output] = answers(
      Buffer.concat([frameBytes(0x02, 1, load(INPUT)[1]), run, run, read]),
    );
    expect(second).toEqual(first);
    expect(output?.body).toEqual(OUTPUT);
  });

  it('runs again for a run with another number', () => {
    const [first, second] = ask([0x03, u32(1, 1)], [0x03, u32(1, 2)]);
    expect(second?.body.readBigUInt64LE(8)).toBeGreaterThan(first!.body.readBigUInt64LE(8));
  });

  it('tells memory without counting the arena twice', () => {
    expect(ask([0x08])[0]?.body.subarray(0, 20)).toEqual(u32(1000, 64, 4096, 100, 5000));
  });

  it.each([
    ['an unknown request', 0x20, bytes(), 1],
    ['hello with a body', 0x01, bytes(1), 2],
    ['a load without an offset', 0x02, bytes(0, 0, 0), 2],
    ['a load into another input', 0x02, bytes(1, 0, 0, 0, 0, 5), 3],
    ['a load past the end', 0x02, Buffer.concat([bytes(0), u32(1), INPUT]), 3],
    ['a load whose end wraps', 0x02, Buffer.concat([bytes(0), u32(0xfffffff8), INPUT]), 3],
    ['a short run', 0x03, u32(1), 2],
    ['a long run', 0x03, u32(1, 2, 3), 2],
    ['a read of another output', 0x04, bytes(1, 0, 0, 0, 0, 1, 0), 3],
    ['a read past the end', 0x04, bytes(0, 1, 0, 0, 0, 8, 0), 3],
    ['a read far past the end', 0x04, bytes(0, 0xff, 0xff, 0xff, 0xff, 8, 0), 3],
    ['a read of more than a frame', 0x04, bytes(0, 0, 0, 0, 0, 1, 4), 3],
    ['a short read', 0x04, bytes(0, 0), 2],
    ['a profile without a number', 0x05, bytes(), 2],
    ['ticks of layers that are not there', 0x06, bytes(2, 0, 3, 0), 3],
    ['more hashes than fit', 0x07, bytes(0, 0, 0, 1), 3],
    ['hashes from far away', 0x07, bytes(0xff, 0xff, 0xff, 0xff), 3],
    ['memory with a body', 0x08, bytes(0), 2],
  ])('refuses %s', (_, type, body, reason) => {
    expect(ask([type, body])[0]).toMatchObject(refusal(type, reason));
  });

  it('drops what is damaged and answers the next frame', () => {
    const good = frameBytes(0x01, 9, bytes());
    const broken = Buffer.from(good);
    broken[3] = broken[3]! ^ 0x40;
    const oversized = frameBytes(0x02, 1, Buffer.alloc(2000, 5));
    const tooShort = bytes(0, 2, 7, 0);
    const cut = good.subarray(0, 5);
    const got = answers(Buffer.concat([Buffer.from('boot log\r\n'), broken, oversized, tooShort, cut, good]));
    expect(got.map(({ sequence }) => sequence)).toEqual([9]);
  });

  it('answers at the largest and refuses nothing but beyond it', () => {
    const most = Buffer.alloc(1024);
    expect(ask([0x02, most])[0]).toMatchObject(refusal(0x02, 3));
    expect(answers(frameBytes(0x02, 1, Buffer.alloc(1025)))).toEqual([]);
  });

  it('survives seeded garbage, under the address and undefined behaviour sanitizers', () => {
    for (const seed of Array.from({ length: 16 }, (_, index) => index + 1)) {
      const random = randomSource(seed);
      const requests = Array.from({ length: 4000 }, () => hostile(random));
      const end = frameBytes(0x01, 77, bytes());
      const got = answers(Buffer.concat([...requests, bytes(0), end]));
      expect(got.at(-1), `seed ${seed}`).toMatchObject({ type: 0x81, sequence: 77 });
    }
  });
});

/** A valid frame of random content, the same with a byte changed or cut off, or plain noise. */
function hostile(random: (below: number) => number): Buffer {
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => random(256)));
  const body = noise(random(4) === 0 ? random(1040) : random(14));
  for (let index = 0; index < Math.min(8, body.length); index++) if (random(2)) body[index] = 0;
  const frame = frameBytes(random(10), random(256), body);
  const kind = random(4);
  if (kind === 0) frame[random(frame.length)] = random(256);
  if (kind === 1) return frame.subarray(0, random(frame.length));
  if (kind === 2) return noise(random(200));
  return frame;
}
