import { describe, expect, test } from 'vitest';
import { BenchClient, type BenchOptions } from '../../device/bench/bench-client.ts';
import {
  randomFaults,
  SimulatedClock,
  SimulatedLink,
  type SimulatedLinkOptions,
  seededRandom,
} from '../../device/transport/simulated-link.ts';
import { type Behaviour, FakeFirmware, MODEL_HASH } from './fake-firmware.ts';

const input = Uint8Array.from({ length: 2_500 }, (_, i) => (i * 7) & 0xff);
const sum = input.reduce((total, byte) => total + byte, 0) & 0xff;

function bench(behaviour: Behaviour = {}, link: SimulatedLinkOptions = {}) {
  const clock = new SimulatedClock();
  const firmware = new FakeFirmware(behaviour, clock);
  const transport = new SimulatedLink(firmware, { ...link, clock });
  return { clock, firmware, transport };
}

async function connected(
  behaviour: Behaviour = {},
  link: SimulatedLinkOptions = {},
  options: BenchOptions = {},
) {
  const all = bench(behaviour, link);
  return { ...all, client: await BenchClient.connect(all.transport, options) };
}

const failure = (behaviour: Behaviour, options: BenchOptions = {}) => connected(behaviour, {}, options);

describe('a board that works', () => {
  test('says who it is', async () => {
    const { client } = await connected();
    expect(client.hello).toEqual({
      protocol: 1,
      inputKept: false,
      tickUnit: 'cycle',
      tickHz: 168_000_000,
      clockHz: 168_000_000,
      modelHash: MODEL_HASH,
      layers: 3,
      inputBytes: [2_500],
      outputBytes: [12],
      board: 'fake-board',
    });
  });

  test('is met without reset lines too', async () => {
    const { client } = await connected({}, { hasSignals: false });
    expect(client.hello.board).toBe('fake-board');
  });

  test('infers what it was given', async () => {
    const { client } = await connected();
    const { ticks, outputs } = await client.infer([input]);
    expect(ticks).toBe(1_000_001);
    expect(outputs).toEqual([new Uint8Array(12).fill(sum)]);
  });

  test('is measured with the input loaded anew each time', async () => {
    const { client, firmware } = await connected();
    const samples: number[] = [];
    const ticks = await client.measure([input], {
      runs: 5,
      warmups: 2,
      onSample: (done) => samples.push(done),
    });
    expect(ticks).toEqual([1_000_003, 1_000_004, 1_000_005, 1_000_006, 1_000_007]);
    expect(samples).toEqual([1, 2, 3, 4, 5]);
    expect(firmware.inferences).toBe(7);
    expect(await client.readOutput(0)).toEqual(new Uint8Array(12).fill(sum));
  });

  test('tells the time and the output of each layer, and its memory', async () => {
    const { client } = await connected();
    expect(await client.profile([input])).toEqual({ ticks: [100, 200, 300], hashes: [1, 2, 0xffffffff] });
    expect(await client.memory()).toEqual({
      static: 100,
      arena: 2_000,
      stackSize: 4_096,
      stackUsed: 512,
      image: 30_000,
      initTicks: 77,
    });
  });

  test('may talk between its answers', async () => {
    const { client } = await connected({ log: '\r\nI (123) wifi: connected\r\n' });
    expect((await client.infer([input])).outputs[0]![0]).toBe(sum);
  });

  test('may take half a minute for an inference, which is not repeated', async () => {
    const { client, firmware } = await connected({ runMs: 30_000 });
    await client.infer([input]);
    expect(firmware.inferences).toBe(1);
  });

  test('is told when the input does not fit', async () => {
    const { client } = await connected();
    await expect(client.loadInput(0, new Uint8Array(5))).rejects.toMatchObject({
      code: 'E_INPUT_SIZE',
      exit: 1,
    });
    await expect(client.loadInput(1, input)).rejects.toMatchObject({ code: 'E_INPUT_SIZE' });
    await expect(client.infer([])).rejects.toMatchObject({ code: 'E_INPUT_SIZE' });
  });
});

describe('a link that damages, loses and repeats', () => {
  test.each(['flip', 'drop', 'duplicate', 'insert'] as const)(
    '%s at 1e-3: every figure and every byte is right, every sample counted once',
    async (kind) => {
      let repeats = 0;
      let runs = 0;
      for (let seed = 1; seed <= 5; seed++) {
        const { client, firmware } = await connected({}, { faults: randomFaults(seed, 1e-3, [kind]) });
        const ticks = await client.measure([input], { runs: 20, warmups: 0 });
        expect(ticks).toEqual(Array.from({ length: 20 }, (_, i) => 1_000_001 + i));
        expect(firmware.inferences).toBe(20);
        expect(await client.readOutput(0)).toEqual(new Uint8Array(12).fill(sum));
        repeats += client.repeats;
        runs += ticks.length;
      }
      console.log(
        `${kind} at 1e-3, seeds 1 to 5: ${runs} inferences, ${repeats} requests repeated, 0 figures wrong`,
      );
      expect(repeats).toBeGreaterThan(5);
    },
  );

  test('answers lost, repeated, late or of an earlier request', async () => {
    const random = seededRandom(21);
    let late: Parameters<NonNullable<Behaviour['answer']>>[0][] = [];
    const { client, firmware } = await connected({
      answer: (frame) => {
        const kept = late;
        late = [];
        const what = random();
        if (what < 0.1) return [];
        if (what < 0.2) return [frame, frame];
        if (what < 0.3) return [...kept, frame];
        if (what < 0.4) {
          late = [frame];
          return [];
        }
        return [frame];
      },
    });
    const ticks = await client.measure([input], { runs: 200, warmups: 0 });
    expect(ticks).toEqual(Array.from({ length: 200 }, (_, i) => 1_000_001 + i));
    expect(firmware.inferences).toBe(200);
  });

  test('a board that restarts or crashes in the middle: no figure at all', async () => {
    for (const [what, code] of [
      ['start', 'E_BOARD_RESTARTED'],
      ['crash', 'E_BOARD_CRASHED'],
    ] as const) {
      const all = bench({
        answer: (frame) => {
          if (all.firmware.inferences < 5) return [frame];
          if (what === 'start') all.firmware.start();
          else all.firmware.crash(1 << 16);
          return [];
        },
      });
      const client = await BenchClient.connect(all.transport);
      const samples: number[] = [];
      const job = client.measure([input], { runs: 50, onSample: (done) => samples.push(done) });
      await expect(job).rejects.toMatchObject({ code });
      expect(samples.length).toBeLessThan(50);
    }
  });

  test('a link that is cut', async () => {
    const { client } = await connected({}, { cutAfterBytes: 20_000 });
    await expect(client.measure([input], { runs: 50 })).rejects.toMatchObject({ code: 'E_DEVICE_LOST' });
  });

  test('an interruption', async () => {
    const stop = new AbortController();
    const { client } = await connected({}, {}, { signal: stop.signal });
    const onSample = () => stop.abort(new Error('interrupted'));
    await expect(client.measure([input], { runs: 50, onSample })).rejects.toThrow('interrupted');
  });
});

describe('what is wrong is named', () => {
  const silent = (said: () => Uint8Array): SimulatedLink =>
    new SimulatedLink({ receive: () => new Uint8Array(0), unasked: said });

  test('a board that says nothing', async () => {
    const link = silent(() => new Uint8Array(0));
    await expect(BenchClient.connect(link)).rejects.toMatchObject({ code: 'E_BOARD_SILENT' });
    expect(link.clock.now()).toBeLessThan(15_000);
  });

  test('another firmware, with what it says', async () => {
    const link = silent(() => Buffer.from('Hello from Arduino\r\n'));
    await expect(BenchClient.connect(link)).rejects.toMatchObject({
      code: 'E_WRONG_FIRMWARE',
      message: expect.stringContaining('Hello from Arduino'),
    });
    expect(link.clock.now()).toBeLessThan(15_000);
  });

  test('its factory boot loader', async () => {
    const peer = { receive: () => Uint8Array.of(0x1f) };
    await expect(BenchClient.connect(new SimulatedLink(peer))).rejects.toMatchObject({
      code: 'E_WRONG_FIRMWARE',
      message: expect.stringContaining('boot loader'),
    });
  });

  test('an endless flood', async () => {
    const link = silent(() => new Uint8Array(4096).fill(0x41));
    await expect(BenchClient.connect(link)).rejects.toMatchObject({ code: 'E_WRONG_FIRMWARE' });
    expect(link.clock.now()).toBeLessThan(30_000);
  });

  test('a crash, in words', async () => {
    const { client, firmware } = await connected();
    firmware.crash((1 << 15) | (1 << 9));
    const error = await client.memory().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'E_BOARD_CRASHED',
      message: expect.stringContaining('bus error on a read or write, at address 0x60000000'),
      measure: expect.arrayContaining([expect.stringContaining('pc 0x08000123')]),
    });
  });

  test('a board that crashed before we came', async () => {
    const all = bench({}, { hasSignals: false });
    all.firmware.crashed = true;
    await expect(BenchClient.connect(all.transport)).rejects.toMatchObject({
      code: 'E_BOARD_CRASHED',
      message: expect.stringContaining('division by zero'),
    });
  });

  const patched = (at: number, ...values: number[]) => ({
    hello: (body: Uint8Array) => {
      const changed = Buffer.from(body);
      changed.set(values, at);
      return changed;
    },
  });

  test.each([
    ['another version of the protocol', patched(0, 2), {}, 'E_WRONG_FIRMWARE'],
    ['a greeting cut short', { hello: (body: Uint8Array) => body.subarray(0, 30) }, {}, 'E_WRONG_FIRMWARE'],
    ['an empty greeting', { hello: () => new Uint8Array(0) }, {}, 'E_WRONG_FIRMWARE'],
    ['more inputs than there is room for', patched(22, 255), {}, 'E_WRONG_FIRMWARE'],
    ['an unknown unit of time', patched(2, 9), {}, 'E_WRONG_FIRMWARE'],
    ['a board name of control characters', patched(33, 0x1b), {}, 'E_WRONG_FIRMWARE'],
    ['another model', {}, { expected: { modelHash: '0011223344556678' } }, 'E_WRONG_MODEL'],
    ['another board', {}, { expected: { board: 'nucleo' } }, 'E_WRONG_FIRMWARE'],
    ['another clock than the board should have', {}, { expected: { clockHz: 84_000_000 } }, 'E_BAD_TIMER'],
    ['a clock of 0 Hz', patched(4, 0, 0, 0, 0, 0, 0, 0, 0), {}, 'E_BAD_TIMER'],
    ['cycles of another clock', patched(4, 1), {}, 'E_BAD_TIMER'],
  ] as const)('%s', async (_, behaviour, options, code) => {
    await expect(failure(behaviour, options)).rejects.toMatchObject({ code });
  });

  test('the right expectations pass', async () => {
    const expected = { modelHash: MODEL_HASH.toUpperCase(), board: 'fake-board', clockHz: 168_000_000 };
    expect((await connected({}, {}, { expected })).client.hello.modelHash).toBe(MODEL_HASH);
  });

  test.each([
    ['a stopwatch that stands still', 0n],
    ['a stopwatch that wrapped', 2n ** 32n - 5n],
    ['a negative time', -5n],
  ])('%s', async (_, value) => {
    const { client } = await connected({ ticks: () => value });
    await expect(client.infer([input])).rejects.toMatchObject({ code: 'E_BAD_TIMER' });
  });

  test('a layer whose time does not fit, and layers that took longer than all of it', async () => {
    for (const layerTicks of [
      [1, 2, 0xffffffff],
      [1, 2, 0xfffffffe],
    ]) {
      const { client } = await connected({ layerTicks });
      await expect(client.profile([input])).rejects.toMatchObject({ code: 'E_BAD_TIMER' });
    }
  });

  test.each<[string, Behaviour]>([
    ['has a clock of 0 Hz', patched(4, 0, 0, 0, 0, 0, 0, 0, 0)],
    ['counts cycles of another clock', patched(4, 1)],
    ['stands still', { ticks: () => 0n }],
    ['goes backwards', { ticks: () => -5n }],
    ['overflows in a layer', { layerTicks: [1, 2, 0xffffffff] }],
  ])('a timer that %s keeps nobody from comparing bytes, but from measuring', async (_, behaviour) => {
    const { client } = await connected(behaviour, {}, { timed: false });
    expect((await client.infer([input])).outputs[0]![0]).toBe(sum);
    expect((await client.profile([input])).hashes).toEqual([1, 2, 0xffffffff]);
    const measured = client.measure([input], { runs: 2 }).then(() => client.profile([input]));
    await expect(measured).rejects.toMatchObject({ code: 'E_BAD_TIMER' });
  });

  test('a boot log that says why nothing runs is explained', async () => {
    const log =
      'rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\n';
    const link = new SimulatedLink({ receive: () => new Uint8Array(0), unasked: () => Buffer.from(log) });
    await expect(BenchClient.connect(link)).rejects.toMatchObject({
      code: 'E_WRONG_FIRMWARE',
      message: expect.stringContaining('holds no program where the ROM looks for one'),
    });
  });

  test('what was said beside the frames can be asked for', async () => {
    const { client } = await connected({
      log: 'SHA-256 comparison failed:\r\nAttempting to boot anyway...\r\n',
    });
    await client.memory();
    expect(client.heardBeside).toContain('Attempting to boot anyway');
  });

  test.each([
    ['of the wrong run', (body: Uint8Array) => Uint8Array.of(9, ...body.subarray(1))],
    ['too short', (body: Uint8Array) => body.subarray(0, 15)],
    ['too long', (body: Uint8Array) => Uint8Array.of(...body, 0)],
  ])('an answer %s', async (_, change) => {
    const { client } = await connected({
      answer: (frame, request) => [request.type === 3 ? { ...frame, body: change(frame.body) } : frame],
    });
    await expect(client.infer([input])).rejects.toMatchObject({ code: 'E_BAD_ANSWER' });
  });

  test('memory that does not hold what was sent', async () => {
    const { client } = await connected({
      answer: (frame, request) => [request.type === 2 ? { ...frame, body: new Uint8Array(4) } : frame],
    });
    await expect(client.infer([input])).rejects.toMatchObject({ code: 'E_BAD_ANSWER' });
  });

  test('a request that the firmware refuses', async () => {
    const { client } = await connected({
      answer: (frame, request) => [
        request.type === 8 ? { ...frame, type: 0xff, body: Uint8Array.of(8, 4) } : frame,
      ],
    });
    await expect(client.memory()).rejects.toMatchObject({
      code: 'E_REQUEST_REFUSED',
      message: expect.stringContaining("the model's own code failed"),
    });
  });

  test('a board that stops answering', async () => {
    const { client, clock } = await connected({ answer: (frame) => (frame.type === 0x88 ? [] : [frame]) });
    const began = clock.now();
    await expect(client.memory()).rejects.toMatchObject({ code: 'E_BOARD_TIMEOUT' });
    expect(clock.now() - began).toBeLessThan(30_000);
  });
});
