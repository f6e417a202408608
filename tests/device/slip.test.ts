import { expect, test } from 'vitest';
import { encodeFrame, SlipDecoder } from '../../device/esp/slip.ts';
import { seededRandom } from '../../device/transport/simulated-link.ts';

test('frames come out as they went in, however the stream is cut', () => {
  const random = seededRandom(1);
  const frames = Array.from({ length: 50 }, () =>
    // Many of the bytes that have to be escaped.
    Uint8Array.from({ length: 1 + Math.floor(random() * 40) }, () =>
      random() < 0.5 ? [0xc0, 0xdb, 0xdc, 0xdd][Math.floor(random() * 4)]! : Math.floor(random() * 256),
    ),
  );
  const stream = Buffer.concat(frames.map(encodeFrame));
  const decoder = new SlipDecoder(64);
  const out: Uint8Array[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = 1 + Math.floor(random() * 9);
    out.push(...decoder.decode(stream.subarray(at, at + length)));
    at += length;
  }
  expect(out).toEqual(frames);
});

test('what is too long, wrongly escaped or broken off is dropped, and the next frame comes through', () => {
  const decoder = new SlipDecoder(4);
  const good = encodeFrame(Uint8Array.of(1, 2));
  for (const bad of [
    [0xc0, 1, 2, 3, 4, 5],
    [0xc0, 1, 0xdb, 0x01, 2],
    [0xc0, 1, 0xdb],
  ]) {
    expect(decoder.decode(Buffer.concat([Uint8Array.from(bad), good]))).toEqual([Uint8Array.of(1, 2)]);
  }
  expect(decoder.decode(Buffer.concat([Buffer.from('log'), good]))).toEqual([
    Uint8Array.from(Buffer.from('log')),
    Uint8Array.of(1, 2),
  ]);
});
