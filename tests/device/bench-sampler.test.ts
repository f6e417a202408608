import { describe, expect, test } from 'vitest';
import { BenchClient } from '../../device/bench/bench-client.ts';
import { ANSWER_BIT, type Frame, REQUEST, SAMPLES, SAMPLES_END } from '../../device/bench/frames.ts';
import type { SampleRun } from '../../device/sensor/sample-stream.ts';
import {
  randomFaults,
  SimulatedClock,
  SimulatedLink,
  type SimulatedLinkOptions,
} from '../../device/transport/simulated-link.ts';
import { FakeFirmware } from './fake-firmware.ts';

const CHANNELS = [3, 7];
const BURST = 32;

/** What a sample holds: its number in the first channel, the number's complement in the second. */
const valuesOf = (number: number) => [number & 0x7fff, -1 - (number & 0x7fff)];

function frameOf(numbers: readonly number[]): Frame {
  const body = new Uint8Array(4 + numbers.length * 4);
  const view = new DataView(body.buffer);
  view.setUint32(0, numbers[0] ?? 0, true);
  for (const [i, number] of numbers.entries()) {
    const [first, second] = valuesOf(number);
    view.setInt16(4 + i * 4, first!, true);
    view.setInt16(6 + i * 4, second!, true);
  }
  return { type: SAMPLES, seq: 0, body };
}

function endOf(due: number, dropped: number): Frame {
  const body = new Uint8Array(Uint32Array.of(due, dropped).buffer);
  return { type: SAMPLES_END, seq: 0, body };
}

const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

/** Everything that a board without faults sends. */
function wholeStream(samples: number): Frame[] {
  const frames: Frame[] = [];
  for (let first = 0; first < samples; first += BURST) {
    frames.push(frameOf(from(first, Math.min(BURST, samples - first))));
  }
  return [...frames, endOf(samples, 0)];
}

/** Records from a firmware that answers the request with these frames. */
async function record(samples: number, frames: readonly Frame[], link: SimulatedLinkOptions = {}) {
  const clock = new SimulatedClock();
  const answer = (frame: Frame, request: Frame): readonly Frame[] => {
    if (request.type !== REQUEST.sample) return [frame];
    const body = new Uint8Array(Uint32Array.of(1_680_001, 168_000_000).buffer);
    return [{ type: REQUEST.sample | ANSWER_BIT, seq: request.seq, body }, ...frames];
  };
  const transport = new SimulatedLink(new FakeFirmware({ answer }, clock), { ...link, clock });
  const client = await BenchClient.connect(transport);
  const stream = await client.sample({ source: 'adc', channels: CHANNELS, rateHz: 100, samples });
  const runs: SampleRun[] = [];
  for (let run = await stream.next(); run; run = await stream.next()) runs.push(run);
  return { runs, count: stream.count, stream, client };
}

function expectRight(runs: readonly SampleRun[]): void {
  for (const { first, values } of runs) {
    expect(values).toEqual(from(first, values.length / 2).flatMap(valuesOf));
  }
}

describe('samples from our firmware', () => {
  test('all of them, with the rate that the board has', async () => {
    const { runs, count, stream } = await record(100, wholeStream(100));
    expect(stream.rateHz).toBeCloseTo(99.99994, 5);
    expectRight(runs);
    expect(count).toEqual({ due: 100, received: 100, droppedOnBoard: 0 });
  });

  test('those that the board dropped leave their numbers out', async () => {
    const frames = [frameOf(from(0, 10)), frameOf(from(15, 5)), endOf(30, 15)];
    const { runs, count } = await record(30, frames);
    expect(runs.map(({ first }) => first)).toEqual([0, 15]);
    expect(count).toEqual({ due: 30, received: 15, droppedOnBoard: 15 });
  });

  test('what cannot be of this recording is passed over', async () => {
    const frames = [
      frameOf(from(0, 10)),
      frameOf(from(5, 10)),
      frameOf(from(95, 10)),
      { type: SAMPLES, seq: 0, body: new Uint8Array(7) },
      { type: SAMPLES, seq: 0, body: new Uint8Array(4) },
      endOf(5, 0),
      endOf(101, 0),
      frameOf(from(10, 90)),
      endOf(100, 0),
    ];
    const { runs, count } = await record(100, frames);
    expectRight(runs);
    expect(count).toEqual({ due: 100, received: 100, droppedOnBoard: 0 });
  });

  test('a lost end does not matter when nothing else is missing', async () => {
    const { count } = await record(64, wholeStream(64).slice(0, -1));
    expect(count).toEqual({ due: 64, received: 64, droppedOnBoard: null });
  });

  test('a board that falls silent is told', async () => {
    await expect(record(100, [frameOf(from(0, 10))])).rejects.toMatchObject({
      code: 'E_BOARD_TIMEOUT',
      exit: 2,
    });
  });

  test('the next request is answered as ever', async () => {
    const { client } = await record(64, wholeStream(64));
    expect((await client.memory()).stackSize).toBe(4_096);
  });

  test('on a bad line samples are lost and counted, and none is wrong', async () => {
    let lost = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const faults = randomFaults(seed, 1e-3, ['flip', 'drop', 'duplicate', 'insert']);
      const total = 2_000;
      const result = await record(total, wholeStream(total), { faults }).catch(
        (error: { code: string }) => error.code,
      );
      // Only the last of all frames has no other to tell that it was lost.
      if (typeof result === 'string') {
        expect(result, `seed ${seed}`).toBe('E_BOARD_TIMEOUT');
        continue;
      }
      expectRight(result.runs);
      expect(result.count.due, `seed ${seed}`).toBe(total);
      lost += result.count.due - result.count.received;
    }
    expect(lost).toBeGreaterThan(0);
  });
});
