import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { coreHz, loadBoard } from '../../boards/load.ts';
import { encodeFrame, type Frame, FrameDecoder, READY, REQUEST } from '../../device/bench/frames.ts';
import { parseHello } from '../../device/bench/hello.ts';
import { oraclePython, runOracle } from '../support/oracle.ts';
import { buildPlan, newFolder, tinyPlan } from './build-firmware.ts';

/**
 * LabWired's simulator of microcontrollers has clock trees: registers of a peripheral that is not clocked take nothing,
 * and an oscillator that was not started is never ready. The serial ports of its STM32s send at once, so that their
 * rate cannot be judged; that of its ESP32 takes its time, but receives nothing. Of our other chips its F401 and F405
 * lack TIM5, its F746 USART3, its F767 over-drive, its ESP32-C3 the registers of analog parts.
 */
const covered = [
  ['bluepill-f103c8', 'stm32f103'],
  ['stm32f4-discovery', 'stm32f407'],
  ['blackpill-f401cc', 'stm32f401cdu6'],
  ['blackpill-f411ce', 'stm32f411ceu6'],
  ['nucleo-g071rb', 'stm32g071'],
  ['nucleo-g474re', 'stm32g474re'],
  ['nucleo-l073rz', 'stm32l073'],
  ['nucleo-l476rg', 'stm32l476'],
  ['nucleo-u575zi-q', 'stm32u575'],
] as const;

const python = oraclePython();
const hasSimulator = python !== undefined && spawnSync(python, ['-c', 'import labwired']).status === 0;
const hasCompiler = (name: string) => !spawnSync(name, ['--version']).error;

/**
 * Sends each request when what it said until then ended with a delimiter; prints the time that the first frame took and
 * all that it said, in hexadecimal. The ports of its STM32s raise no interrupt, so that the interrupt is made pending
 * for them, by the register for that.
 */
const conversation = `
import sys
from labwired import Sim
elf, chip, interrupt, *requests = sys.argv[1:]
heard, began, took = b'', None, None
with Sim(elf, chip=chip) as sim:
    def listen(frames):
        global heard, began
        for _ in range(200):
            sim.run_for('100us')
            heard += sim.read_uart_bytes()
            if heard and began is None:
                began = sim.time
            if heard.count(0) >= 2 * frames and heard.endswith(b'\\0'):
                return
    def send(byte):
        sim.send_bytes(bytes([byte]))
        if int(interrupt):
            sim.write_u32(0xe000e200 + 4 * (int(interrupt) // 32), 1 << int(interrupt) % 32)
        sim.run_for('20us')
    listen(1)
    took = sim.time - began
    for count, request in enumerate(requests):
        for byte in bytes.fromhex(request):
            send(byte)
        listen(count + 2)
print()
print(took)
print(heard.hex())
`;

const input = Uint8Array.from({ length: 16 }, (_, index) => index * 3);
const requests = [
  encodeFrame(REQUEST.hello, 1, new Uint8Array(0)),
  encodeFrame(REQUEST.load, 2, Uint8Array.from([0, 0, 0, 0, 0, ...input])),
  encodeFrame(REQUEST.run, 3, new Uint8Array(8)),
  encodeFrame(REQUEST.read, 4, Uint8Array.from([0, 0, 0, 0, 0, 8, 0])),
].map((bytes) => Buffer.from(bytes).toString('hex'));

const folder = newFolder();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Said {
  readonly firstFrameSeconds: number;
  readonly frames: readonly Frame[];
}

function talk(board: string, chip: string, asked: readonly string[]): Said {
  const plan = tinyPlan(board);
  const place = buildPlan(plan, join(folder, board));
  const config = plan.files.find(({ path }) => path === 'tml_config.h')!.text;
  const interrupt = /TML_UART_INTERRUPT (\d+)/.exec(config)?.[1] ?? '0';
  const lines = runOracle(python!, conversation, [join(place, 'firmware.elf'), chip, interrupt, ...asked]);
  const [seconds, bytes] = lines.trim().split('\n').slice(-2);
  return {
    firstFrameSeconds: Number(seconds),
    frames: new FrameDecoder().decode(Buffer.from(bytes!, 'hex')),
  };
}

/** What the layers of the hand-made model make of the input. */
function expected(): number[] {
  const scaled = [...input].map((value, i) => value * (i % 2 ? -i - 1 : i + 1));
  return Array.from({ length: 8 }, (_, i) => (scaled[i]! + scaled[i + 8]! + 42) & 0xff);
}

describe.skipIf(!hasSimulator)(`in LabWired${hasSimulator ? '' : ' (not here: skipped)'}`, () => {
  for (const [id, chip] of covered) {
    it.skipIf(!hasCompiler('arm-none-eabi-gcc'))(
      `the firmware of ${id} reaches its full clock, listens, infers and answers`,
      () => {
        const [ready, hello, , ran, read] = talk(id, chip, requests).frames;
        expect(ready?.type).toBe(READY);
        const facts = parseHello(ready!.body)!;
        expect(facts).toMatchObject({ board: id, clockHz: coreHz(loadBoard(id)), tickUnit: 'cycle' });
        expect(parseHello(hello!.body)).toEqual(facts);
        expect(new DataView(ran!.body.buffer, ran!.body.byteOffset).getBigUint64(8, true)).toBeGreaterThan(
          1000n,
        );
        expect([...read!.body]).toEqual(expected());
      },
    );
  }

  it.skipIf(!hasCompiler('xtensa-lx106-elf-gcc'))(
    'the firmware of an ESP32 reaches its full clock and speaks at 115,200 baud',
    () => {
      const { firstFrameSeconds, frames } = talk('esp32-devkitc', 'esp32', []);
      const [ready] = frames;
      expect(parseHello(ready!.body)).toMatchObject({ board: 'esp32-devkitc', clockHz: 240_000_000 });
      // This simulated port sends ten bits a byte at the rate that it was set to.
      const bytes = encodeFrame(READY, 1, ready!.body).length;
      expect(firstFrameSeconds / ((10 * bytes) / 115_200)).toBeCloseTo(1, 1);
    },
  );
});
