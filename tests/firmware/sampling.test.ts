import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Frame, frameBytes, parseFrame } from './bench-client.ts';
import { randomSource } from './random.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tinyml-sampling-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The recorder built for this machine, with a line of a certain speed and, if wanted, one long pause. */
function build(name: string, ticksPerByte: number, deafByte = 0, deafTicks = 0): string {
  const inFirmware = (path: string) => join(root, 'firmware-templates', path);
  const inFixtures = (path: string) => join(root, 'tests/firmware/fixtures', path);
  const program = join(folder, name);
  // biome-ignore format: flags, folders, sources
  execFileSync('gcc', [
    '-std=c99', '-O1', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror',
    '-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-DTML_SAMPLING',
    `-DTICKS_PER_BYTE=${ticksPerByte}u`, `-DDEAF_BYTE=${deafByte}u`, `-DDEAF_TICKS=${deafTicks}u`,
    '-I', inFirmware('bench'), '-I', inFirmware('kernels'), '-I', inFirmware('sample'), '-I', inFixtures('native'),
    inFirmware('bench/tml_bench.c'), inFirmware('sample/tml_sample.c'), inFirmware('sample/tml_no_model.c'),
    inFixtures('native/sampling.c'), '-o', program,
  ]);
  return program;
}

function answers(program: string, ...requests: Uint8Array[]): Frame[] {
  const output = execFileSync(program, { input: Buffer.concat(requests), maxBuffer: 1 << 28 });
  const frames: Frame[] = [];
  for (let start = 0; start < output.length; ) {
    const end = output.indexOf(0, start);
    if (end > start) frames.push(parseFrame(output.subarray(start, end))!);
    start = end + 1;
  }
  expect(frames).not.toContain(undefined);
  return frames.slice(1);
}

function request(source: number, channels: readonly number[], rate: number, samples: number): Buffer {
  const body = Buffer.alloc(10 + channels.length);
  body[0] = source;
  body[1] = channels.length;
  body.writeUInt32LE(rate, 2);
  body.writeUInt32LE(samples, 6);
  body.set(channels, 10);
  return body;
}

const sample = (...args: Parameters<typeof request>) => frameBytes(0x09, 1, request(...args));

interface Recording {
  /** By number. */
  readonly samples: ReadonlyMap<number, readonly number[]>;
  readonly due: number;
  readonly dropped: number;
}

function recordingOf(frames: readonly Frame[], channels: number): Recording {
  const samples = new Map<number, number[]>();
  for (const { type, body } of frames.filter(({ type }) => type === 0xf3)) {
    expect(type).toBe(0xf3);
    const first = body.readUInt32LE(0);
    const count = (body.length - 4) / (2 * channels);
    expect(Number.isInteger(count)).toBe(true);
    for (let i = 0; i < count; i++) {
      expect(samples.has(first + i)).toBe(false);
      samples.set(
        first + i,
        Array.from({ length: channels }, (_, channel) => body.readInt16LE(4 + 2 * (i * channels + channel))),
      );
    }
  }
  const end = frames.at(-1)!;
  expect(end.type).toBe(0xf4);
  return { samples, due: end.body.readUInt32LE(0), dropped: end.body.readUInt32LE(4) };
}

const counted = (number: number, channels: readonly number[]) =>
  channels.map((channel) => (number + channel) & 0x7fff);

describe('the recorder, under the address and undefined behaviour sanitizers', () => {
  it('takes every sample where the line is quick', () => {
    const channels = [0, 255, 7];
    const [answer, ...frames] = answers(build('quick', 1), sample(0, channels, 1000, 500));
    expect(answer).toMatchObject({ type: 0x89, body: Buffer.from([0xe8, 3, 0, 0, 0x40, 0x42, 0x0f, 0]) });
    const { samples, due, dropped } = recordingOf(frames, 3);
    expect({ size: samples.size, due, dropped }).toEqual({ size: 500, due: 500, dropped: 0 });
    for (const [number, values] of samples) expect(values).toEqual(counted(number, channels));
  });

  it.each([
    ['a line that is too slow for the rate', 400, 0, 0],
    ['a pause in which whole periods pass', 10, 600, 90_000],
  ])(
    '%s: what is dropped is counted, what is sent keeps its number',
    (name, perByte, deafByte, deafTicks) => {
      const channels = [0, 1, 2, 3];
      const program = build(name.replaceAll(' ', '-'), perByte, deafByte, deafTicks);
      const { samples, due, dropped } = recordingOf(answers(program, sample(0, channels, 1000, 2000)), 4);
      expect(due).toBe(2000);
      expect(dropped).toBeGreaterThan(0);
      expect(samples.size + dropped).toBe(2000);
      for (const [number, values] of samples) expect(values).toEqual(counted(number, channels));
    },
  );

  it('has a sine', () => {
    const { samples } = recordingOf(answers(build('quick', 1), sample(1, [0, 3], 1000, 200)), 2);
    for (const [number, values] of samples) {
      for (const [i, channel] of [0, 3].entries()) {
        const wanted = 10_000 * Math.sin((2 * Math.PI * (number + 8 * channel)) / 64);
        expect(Math.abs(values[i]! - wanted)).toBeLessThan(1);
      }
    }
  });

  it.each([
    ['no channels', request(0, [], 100, 1), 3],
    ['nine channels', request(0, [0, 1, 2, 3, 4, 5, 6, 7, 8], 100, 1), 3],
    ['a rate of 0', request(0, [0], 0, 1), 3],
    ['a rate beyond the clock', request(0, [0], 62_501, 1), 3],
    ['a sensor that is not there', request(2, [0], 100, 1), 5],
    ['fewer channels than it says', request(0, [0, 1], 100, 1).subarray(0, -1), 2],
    ['a body that is cut', request(0, [0], 100, 1).subarray(0, 9), 2],
  ])('refuses %s, and goes on', (_, body, reason) => {
    const frames = answers(
      build('quick', 1),
      frameBytes(0x09, 1, body),
      frameBytes(0x01, 2, Buffer.alloc(0)),
    );
    expect(frames[0]).toMatchObject({ type: 0xff, body: Buffer.from([0x09, reason]) });
    expect(frames[1]).toMatchObject({ type: 0x81, sequence: 2 });
  });

  it('says by a hash of zeros that it has no model, and still answers all else', () => {
    const [hello, run] = answers(
      build('quick', 1),
      frameBytes(0x01, 1, Buffer.alloc(0)),
      frameBytes(0x03, 2, Buffer.alloc(8)),
    );
    expect(hello!.body.subarray(12, 20)).toEqual(Buffer.alloc(8));
    expect(run!.type).toBe(0x83);
  });

  it('survives seeded garbage in place of its request', () => {
    const program = build('quick', 1);
    for (let seed = 1; seed <= 8; seed++) {
      const random = randomSource(seed);
      const requests = Array.from({ length: 300 }, () => {
        const body = Buffer.from(Array.from({ length: random(24) }, () => random(256)));
        // Not so many samples that it takes all day.
        if (body.length >= 10) body.writeUInt32LE(1 + random(50), 6);
        if (random(2) && body.length >= 10) body[1] = body.length - 10;
        return frameBytes(0x09, random(256), body);
      });
      const got = answers(program, ...requests, frameBytes(0x01, 77, Buffer.alloc(0)));
      expect(got.at(-1), `seed ${seed}`).toMatchObject({ type: 0x81, sequence: 77 });
    }
  });
});
