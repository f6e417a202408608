import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { BenchClient } from './bench-client.ts';

/** The firmware of `folder` running in QEMU, its serial port on a TCP socket. */
export interface Running {
  readonly client: BenchClient;
  readonly stop: () => Promise<void>;
}

async function connectTo(port: number): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (attempt >= 100) throw error;
      await wait(50);
    }
  }
}

function startProcess(folder: string, port: number): ChildProcess {
  return spawn(
    'qemu-system-arm',
    // biome-ignore format: one option a line
    [
      '-M', 'netduinoplus2', '-display', 'none', '-monitor', 'none', '-icount', 'shift=0',
      '-device', `loader,file=${join(folder, 'firmware.bin')},addr=0x08000000`,
      '-serial', `tcp:127.0.0.1:${port},server=on,wait=on,nodelay=on`,
    ],
    { stdio: 'ignore' },
  );
}

let nextPort = 20_000 + (process.pid % 20_000);

/** Boots `folder`/firmware.bin; QEMU waits for the connection, so that the ready frame is seen. */
export async function boot(folder: string): Promise<Running> {
  const port = nextPort++;
  const child = startProcess(folder, port);
  const exited = once(child, 'exit');
  const socket = await connectTo(port);
  return {
    client: new BenchClient(socket),
    stop: async () => {
      socket.destroy();
      child.kill('SIGKILL');
      await exited;
    },
  };
}
