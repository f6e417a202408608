import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { isEsp, loadBoard } from '../../boards/load.ts';
import { esp32Processor } from '../../device/virtual/esp-cpu/esp32.ts';
import { esp32c3Processor } from '../../device/virtual/esp-cpu/esp32c3.ts';
import { BenchClient } from './bench-client.ts';

/** The firmware of `folder` running in QEMU, its serial port on a TCP socket. */
export interface Running {
  readonly client: BenchClient;
  readonly stop: () => Promise<void>;
}

/** Program, machine and where its flash is, of each emulated board. */
const EMULATORS = {
  'virtual-stm32f100': ['qemu-system-arm', '0x08000000', '-M', 'stm32vldiscovery'],
  'virtual-stm32f205': ['qemu-system-arm', '0x08000000', '-M', 'netduino2'],
  'virtual-stm32f405': ['qemu-system-arm', '0x08000000', '-M', 'netduinoplus2'],
  'virtual-olimex-h405': ['qemu-system-arm', '0x08000000', '-M', 'olimex-stm32-h405'],
  'virtual-rv32imc': ['qemu-system-riscv32', '0x80000000', '-M', 'virt', '-bios', 'none'],
} as const;

/** As long as a network takes at most, whatever else this machine does. */
const PATIENCE = 200_000;

/** Boards that run inside this process. */
const PROCESSORS = { 'virtual-esp32c3': esp32c3Processor, 'virtual-esp32': esp32Processor } as const;

export type Emulated = keyof typeof EMULATORS | keyof typeof PROCESSORS;

const runsHere = (id: Emulated): id is keyof typeof PROCESSORS => Object.hasOwn(PROCESSORS, id);

/** What the flash of an Espressif chip holds after firmware.bin was written to it. */
export function flashOf(folder: string, id: string): Uint8Array {
  const board = loadBoard(id);
  if (!isEsp(board)) throw new Error(`${id} has no flash of this kind`);
  const flash = new Uint8Array(board.chip.flash.bytes).fill(0xff);
  flash.set(readFileSync(join(folder, 'firmware.bin')), board.chip.bootloader.imageOffset);
  return flash;
}

function bootHere(folder: string, id: keyof typeof PROCESSORS): Running {
  const processor = PROCESSORS[id]({
    onOutput: (bytes) => void port.push(bytes),
    onNote: () => {},
  });
  const port: Duplex = new Duplex({
    read() {},
    write(bytes: Uint8Array, _encoding, done) {
      processor.receive(bytes);
      done();
    },
  });
  processor.reset(flashOf(folder, id));
  return { client: new BenchClient(port, PATIENCE), stop: () => processor.close() };
}

/** Whether the emulator is there and has the board's machine; older ones lack some. */
export function canEmulate(id: Emulated): boolean {
  if (runsHere(id)) return true;
  const [program, , , machine] = EMULATORS[id];
  const { stdout, error } = spawnSync(program, ['-M', 'help'], { encoding: 'utf8' });
  return !error && new RegExp(`^${machine}\\s`, 'm').test(stdout);
}

/** Boots `folder`/firmware.bin. QEMU connects to us before it starts, so that the ready frame is seen. */
export async function boot(folder: string, id: Emulated = 'virtual-stm32f405'): Promise<Running> {
  if (runsHere(id)) return bootHere(folder, id);
  const [program, address, ...machine] = EMULATORS[id];
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const child = spawn(
    program,
    // biome-ignore format: one option a line
    [
      ...machine, '-display', 'none', '-monitor', 'none', '-icount', 'shift=0',
      '-device', `loader,file=${join(folder, 'firmware.bin')},addr=${address},force-raw=on`,
      '-serial', `tcp:127.0.0.1:${port},nodelay=on`,
    ],
    { stdio: 'ignore' },
  );
  const exited = once(child, 'exit');
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  return {
    client: new BenchClient(socket),
    stop: async () => {
      socket.destroy();
      child.kill('SIGKILL');
      await exited;
    },
  };
}
