import { crc32 as zlibCrc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { crc32 } from '../../common/crc32.ts';
import { cobsDecode, cobsEncode } from '../../device/bench/cobs.ts';
import { encodeFrame, type Frame, FrameDecoder } from '../../device/bench/frames.ts';
import { type FaultKind, randomFaults, seededRandom } from '../../device/transport/simulated-link.ts';

/** TINYML_SOAK=20 runs twenty times as many cases. */
const SOAK = Number(process.env['TINYML_SOAK'] ?? 1);

const bytes = (length: number, next: () => number) =>
  Uint8Array.from({ length }, () => Math.floor(next() * 256));

describe('CRC-32/ISO-HDLC', () => {
  test('gives the check value of its definition', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });
  test.skipIf(typeof zlibCrc32 !== 'function')('agrees with zlib (skipped where Node has no crc32)', () => {
    const random = seededRandom(3);
    for (let length = 0; length < 300; length++) {
      const data = bytes(length, random);
      expect(crc32(data)).toBe(zlibCrc32(data));
    }
  });
});

describe('COBS', () => {
  // The examples of Cheshire and Baker's paper and of RFC-like descriptions of it.
  test.each([
    ['', '01'],
    ['00', '0101'],
    ['0000', '010101'],
    ['11220033', '0311220233'],
    ['11223344', '0511223344'],
    ['11000000', '0211010101'],
  ])('%s is %s', (plain, encoded) => {
    expect(Buffer.from(cobsEncode(Buffer.from(plain, 'hex'))).toString('hex')).toBe(encoded);
    expect(Buffer.from(cobsDecode(Buffer.from(encoded, 'hex'))!).toString('hex')).toBe(plain);
  });

  test.each([253, 254, 255, 256, 507, 508, 509, 510, 1030])('%i bytes without a zero come back', (length) => {
    const plain = new Uint8Array(length).fill(7);
    const encoded = cobsEncode(plain);
    expect(encoded).toHaveLength(length + Math.ceil(length / 254));
    expect(cobsDecode(encoded)).toEqual(plain);
  });

  test('anything comes back, and no zero is in between', () => {
    const random = seededRandom(4);
    for (let i = 0; i < 2_000; i++) {
      const plain = bytes(Math.floor(random() * 600), random).map((byte) => (random() < 0.2 ? 0 : byte));
      const encoded = cobsEncode(plain);
      expect(encoded.includes(0)).toBe(false);
      expect(Buffer.compare(cobsDecode(encoded)!, plain)).toBe(0);
    }
  });

  test.each(['05', '0511', '0311002233', '00'])('%s is no encoding', (text) => {
    expect(cobsDecode(Buffer.from(text, 'hex'))).toBeUndefined();
  });
});

describe('frames', () => {
  test('are found between boot logs, whatever the chunks are', () => {
    const body = Uint8Array.from({ length: 1024 }, (_, i) => i & 0xff);
    const wire = Buffer.concat([
      Buffer.from('ets Jul 29 2019 rst:0x1\r\n'),
      encodeFrame(0x81, 7, body),
      Buffer.from('log\n'),
      encodeFrame(0x83, 8, new Uint8Array(0)),
    ]);
    for (const size of [1, 2, 3, 7, 64, 5_000]) {
      const decoder = new FrameDecoder();
      const frames: Frame[] = [];
      for (let at = 0; at < wire.length; at += size)
        frames.push(...decoder.decode(wire.subarray(at, at + size)));
      expect(frames).toEqual([
        { type: 0x81, seq: 7, body },
        { type: 0x83, seq: 8, body: new Uint8Array(0) },
      ]);
      expect(Buffer.from(decoder.noise).toString()).toContain('rst:0x1');
    }
  });

  test('one that is too long is dropped and the next one found', () => {
    const decoder = new FrameDecoder();
    const endless = new Uint8Array(10_000_000).fill(0x55);
    expect(decoder.decode(endless)).toEqual([]);
    expect(decoder.decode(encodeFrame(1, 2, Uint8Array.of(3)))).toHaveLength(1);
    expect(decoder.noise.length).toBeLessThanOrEqual(256);
  });

  /** Bursts are up to 64 bytes of noise in place of what was there. */
  function* damaged(frames: number, kind: FaultKind | 'burst', seed: number) {
    const random = seededRandom(seed);
    const fault = kind === 'burst' ? undefined : randomFaults(seed, 1e-3, [kind]);
    for (let i = 0; i < frames; i++) {
      const sent = { type: 0x83, seq: i & 0xff, body: bytes(4 + Math.floor(random() * 40), random) };
      const wire = encodeFrame(sent.type, sent.seq, sent.body);
      if (fault) {
        const out: number[] = [];
        for (const byte of wire) out.push(...fault(byte, 'to host'));
        yield { sent, wire: Uint8Array.from(out), clean: out.length === wire.length };
        continue;
      }
      const hit = random() < 0.02;
      if (hit) {
        const start = Math.floor(random() * wire.length);
        for (let at = start; at < Math.min(wire.length, start + 64); at++)
          wire[at] = Math.floor(random() * 256);
      }
      yield { sent, wire, clean: !hit };
    }
  }

  test('damaged ones are never taken for good', { timeout: 60_000 * SOAK }, () => {
    const count = 20_000 * SOAK;
    for (const [index, kind] of (['flip', 'drop', 'duplicate', 'insert', 'burst'] as const).entries()) {
      const decoder = new FrameDecoder();
      const expected = new Map<number, Frame>();
      let accepted = 0;
      let wrong = 0;
      for (const { sent, wire } of damaged(count, kind, 100 + index)) {
        expected.set(sent.seq, sent);
        for (const frame of decoder.decode(wire)) {
          accepted++;
          const original = expected.get(frame.seq);
          if (frame.type !== 0x83 || !original || Buffer.compare(original.body, frame.body) !== 0) wrong++;
        }
      }
      console.log(
        `${kind}, seed ${100 + index}: ${accepted} of ${count} frames accepted, ${wrong} of them damaged`,
      );
      expect(wrong).toBe(0);
      expect(accepted).toBeGreaterThan(count * 0.9);
    }
  });
});
