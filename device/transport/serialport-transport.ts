import { existsSync, realpathSync } from 'node:fs';
import type { SerialPort } from 'serialport';
import { systemClock } from '../clock.ts';
import {
  deviceLost,
  portBusy,
  portFailed,
  portNotFound,
  portPermission,
  serialSupportMissing,
} from '../errors.ts';
import { accessTo } from '../host/port-access.ts';
import { usersOf } from '../host/port-users.ts';
import { systemTree } from '../host/read-system.ts';
import { bounded } from './bounded.ts';
import { ByteQueue } from './byte-queue.ts';
import type { Parity, Signals, Transport } from './transport.ts';

const CALL_MS = 10_000;
const WATCH_MS = 500;

/** What the operating systems say when a serial device is gone. */
const LOST =
  /EIO|ENXIO|ENODEV|EBADF|ENOENT|EOF|i\/o error|no such device|bad file|port is not open|disconnected/i;
const NO_MODEM_LINES = /ENOTTY|EINVAL|inappropriate ioctl|invalid argument/i;

async function loadSerialPort(path: string): Promise<typeof SerialPort> {
  try {
    return (await import('serialport')).SerialPort;
  } catch (error) {
    throw serialSupportMissing(path, error);
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const linux = process.platform === 'linux';

/** Who has a port open, as far as this user may know. */
function holdersOf(path: string): string {
  const users = linux ? usersOf(systemTree(), deviceFile(path) ?? path) : [];
  const others = users.filter(({ pid }) => pid !== process.pid);
  if (others.length === 0) return 'another program holds it open';
  return others.map(({ pid, program }) => `process ${pid} (${program}) holds it open`).join(', ');
}

function openError(path: string, error: unknown): Error {
  const text = textOf(error);
  if (/cannot lock|resource busy|EBUSY|access denied.*in use|temporarily unavailable/i.test(text)) {
    return portBusy(path, holdersOf(path));
  }
  if (/permission denied|EACCES|access denied/i.test(text)) {
    return portPermission(path, linux ? accessTo(systemTree(), path).group : undefined);
  }
  if (/no such file|ENOENT|file not found/i.test(text)) return portNotFound(path);
  return portFailed(path, `cannot be opened (${text})`, error);
}

/** The device file behind a name; undefined where ports are no files. */
function deviceFile(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** A port of this machine through the native package, which is loaded only here. */
export class SerialPortTransport implements Transport {
  readonly clock = systemClock;
  readonly name: string;
  hasSignals = true;
  private readonly queue: ByteQueue;
  private readonly warn: (text: string) => void;
  private port: SerialPort | undefined;
  private watch: NodeJS.Timeout | undefined;
  private baud: number;
  private parity: Parity;
  private signals: Signals | undefined;

  private constructor(path: string, baud: number, parity: Parity, warn: (text: string) => void) {
    this.name = path;
    this.baud = baud;
    this.parity = parity;
    this.warn = warn;
    this.queue = new ByteQueue({ pause: () => this.port?.pause(), resume: () => this.port?.resume() });
  }

  static async open(
    path: string,
    baud: number,
    parity: Parity,
    warn: (text: string) => void,
  ): Promise<SerialPortTransport> {
    const transport = new SerialPortTransport(path, baud, parity, warn);
    await transport.reopen();
    return transport;
  }

  read(timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.queue.take(timeoutMs, signal);
  }

  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.call('take bytes', signal, (port, done) => port.write(Buffer.from(bytes), done));
  }

  /** A change of parity opens the port anew: the native package can change only the rate of an open one. */
  async setBaud(baud: number, parity: Parity = this.parity): Promise<void> {
    if (baud === this.baud && parity === this.parity) return;
    const again = parity !== this.parity;
    this.baud = baud;
    this.parity = parity;
    if (!again) {
      await this.call('set the baud rate', undefined, (port, done) => port.update({ baudRate: baud }, done));
      return;
    }
    await this.reopen();
    if (this.signals) await this.setSignals(this.signals);
  }

  async setSignals(signals: Signals): Promise<void> {
    this.signals = signals;
    if (!this.hasSignals) return;
    try {
      await this.call('set the modem lines', undefined, (port, done) => port.set({ ...signals }, done));
    } catch (error) {
      if (!NO_MODEM_LINES.test(textOf((error as Error).cause ?? error))) throw error;
      this.hasSignals = false;
      this.warn(`port ${this.name} has no modem lines, so it cannot reset the board`);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.watch);
    const port = this.port;
    this.port = undefined;
    port?.removeAllListeners();
    port?.on('error', () => {});
    if (!port?.isOpen) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1_000);
      port.close(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private async reopen(): Promise<void> {
    await this.close();
    const Port = await loadSerialPort(this.name);
    const port = new Port({
      path: this.name,
      baudRate: this.baud,
      dataBits: 8,
      stopBits: 1,
      parity: this.parity,
      autoOpen: false,
    });
    await new Promise<void>((resolve, reject) => {
      port.open((error) => (error ? reject(openError(this.name, error)) : resolve()));
    });
    this.port = port;
    port.on('data', (bytes: Uint8Array) => this.queue.push(bytes));
    port.on('error', (error) => this.queue.fail(deviceLost(this.name, `failed (${textOf(error)})`)));
    port.on('close', () => this.queue.fail(deviceLost(this.name, 'was unplugged')));
    this.watchDevice();
  }

  /** A terminal that was hung up reads as empty for ever, which the native package does not tell; its file is gone. */
  private watchDevice(): void {
    const file = deviceFile(this.name);
    if (file === undefined) return;
    this.watch = setInterval(() => {
      if (existsSync(file)) return;
      this.queue.fail(deviceLost(this.name, 'was unplugged'));
      void this.close();
    }, WATCH_MS);
    this.watch.unref();
  }

  private async call(
    what: string,
    signal: AbortSignal | undefined,
    start: (port: SerialPort, done: (error: Error | null | undefined) => void) => void,
  ): Promise<void> {
    const port = this.port;
    if (!port?.isOpen) throw deviceLost(this.name, 'was unplugged');
    const late = () => deviceLost(this.name, `does not ${what}`);
    await bounded<void>({ timeoutMs: CALL_MS, late, signal }, (resolve, reject) => {
      start(port, (error) => (error ? reject(this.failure(what, error)) : resolve()));
    });
  }

  private failure(what: string, error: Error): Error {
    const text = textOf(error);
    if (LOST.test(text)) return deviceLost(this.name, `failed (${text})`);
    return portFailed(this.name, `cannot ${what} (${text})`, error);
  }
}
