import { ByteReader } from '../transport/byte-reader.ts';
import type { Transport } from '../transport/transport.ts';
import { LinkFault, type Stage } from './link-fault.ts';
import type { BootloaderTimeouts } from './timeouts.ts';

/** AN3155: codes of the USART protocol of the STM32 boot loader. */
const ACK = 0x79;
const NACK = 0x1f;
const SYNC = 0x7f;
const GET = 0x00;
const GET_ID = 0x02;
const READ_MEMORY = 0x11;
const GO = 0x21;
const WRITE_MEMORY = 0x31;
export const ERASE = 0x43;
export const EXTENDED_ERASE = 0x44;

/** AN3155: the most that one read or write moves. */
export const BLOCK_BYTES = 256;

// Start bit, eight data bits, even parity, stop bit.
const BITS_PER_BYTE = 11;
/** A single late answer is forgotten after some dozens of punctual ones. */
const SLOWEST_DECAY = 0.95;
const SURPLUS_MS = 5;
const PROBES = 4;
const SETTLE_LIMIT = 4_096;
const STRAY_LIMIT = 64;
const COMMANDS_LIMIT = 32;

/**
 * Ends a command that lost a byte without starting another one. No command takes a row of 0xFF to mean something
 * that hurts: as an address or page list its checksum is wrong, and as a command it does not exist.
 */
const FILLER = 0xff;
const FILLER_SINGLES = 8;
const FILLER_CHUNK = 64;
const FILLER_CHUNKS = 5;

const xor = (bytes: Iterable<number>, start = 0): number => {
  let sum = start;
  for (const byte of bytes) sum ^= byte;
  return sum;
};

/**
 * Filler for a write that lost a byte: the checksum then holds by accident if the filler equals that byte, so a
 * value that is not among the data is right. Not 0, which is a valid address checksum after zeros.
 */
function fillerFor(data: Uint8Array): number {
  for (let value = FILLER; value > 0; value--) {
    if (!data.includes(value)) return value;
  }
  return FILLER;
}

export interface BootloaderInfo {
  /** Two digits: 0x31 is version 3.1. */
  readonly version: number;
  readonly commands: readonly number[];
}

/** Single exchanges of AN3155, each tried once; a LinkFault says how it failed. */
export class BootloaderLink {
  readonly transport: Transport;
  private readonly timeouts: BootloaderTimeouts;
  private readonly signal: AbortSignal | undefined;
  private readonly msPerByte: number;
  private readonly reader: ByteReader;
  private echo = false;
  private filler = FILLER;
  private slowestMs: number | undefined;

  constructor(transport: Transport, baud: number, timeouts: BootloaderTimeouts, signal?: AbortSignal) {
    this.transport = transport;
    this.timeouts = timeouts;
    this.signal = signal;
    this.msPerByte = (BITS_PER_BYTE * 1000) / baud;
    this.reader = new ByteReader(transport, signal);
  }

  /** The slowest recent acknowledgement, without the time the bytes themselves take. */
  get delayMs(): number {
    return this.slowestMs ?? 0;
  }

  /** When the last byte arrived, on the transport's clock. */
  get heardAt(): number {
    return this.reader.heardAt;
  }

  get lastHeard(): Uint8Array {
    return this.reader.lastHeard;
  }

  async discard(): Promise<void> {
    await this.reader.discard();
  }

  /**
   * One sync byte. A boot loader that is in sync already answers the second one with NACK, which is as good.
   * An adapter that sends back what we say is noticed here.
   */
  async sync(): Promise<boolean> {
    await this.reader.discard();
    this.echo = false;
    await this.transport.write(Uint8Array.of(SYNC), this.signal);
    const until = this.transport.clock.now() + this.timeouts.syncMs;
    for (let strays = 0; strays < STRAY_LIMIT; strays++) {
      const byte = await this.reader.byte(until - this.transport.clock.now());
      if (byte === undefined) return false;
      if (byte === SYNC) this.echo = true;
      if (byte === ACK || byte === NACK) return true;
    }
    return false;
  }

  /** Brings the boot loader back to where it waits for a command, whatever it waited for; false when it stays silent. */
  async resync(): Promise<boolean> {
    await this.reader.discard();
    if (await this.fillSingly()) return true;
    for (let chunk = 0; chunk < FILLER_CHUNKS; chunk++) {
      await this.transport.write(new Uint8Array(FILLER_CHUNK).fill(this.filler), this.signal);
      await this.reader.byte(this.fillerPatience() + FILLER_CHUNK * this.msPerByte);
      await this.reader.discard();
    }
    return this.fillSingly();
  }

  /**
   * Whether what is heard answers what was just said. After a pause on the line the answers of before arrive all at
   * once; they are let pass until the line is quiet.
   */
  async inStep(chipId: number | undefined): Promise<boolean> {
    for (let probe = 0; probe < PROBES; probe++) {
      try {
        const id = await this.getId();
        const more = await this.hearsMore();
        if (!more && (chipId === undefined || id === chipId)) return true;
      } catch (error) {
        if (!(error instanceof LinkFault)) throw error;
      }
      await this.settle();
    }
    return false;
  }

  /** For a line that has become slower than it was. */
  waitLonger(): void {
    this.slowestMs = Math.max(2 * this.delayMs, this.timeouts.shortestAckMs / 2);
  }

  async get(): Promise<BootloaderInfo> {
    await this.command(GET);
    const count = await this.dataByte();
    if (count >= COMMANDS_LIMIT) throw new LinkFault('garbled', 'data');
    const bytes = await this.data(count + 1);
    await this.ack('data', 0);
    return { version: bytes[0]!, commands: [...bytes.subarray(1)] };
  }

  async getId(): Promise<number> {
    await this.command(GET_ID);
    const count = await this.dataByte();
    if (count > 3) throw new LinkFault('garbled', 'data');
    const bytes = await this.data(count + 1);
    await this.ack('data', 0);
    return bytes.reduce((id, byte) => id * 256 + byte, 0);
  }

  async read(address: number, length: number): Promise<Uint8Array> {
    await this.command(READ_MEMORY);
    await this.address(address);
    await this.send(Uint8Array.of(length - 1, (length - 1) ^ 0xff));
    await this.ack('data', 2);
    return this.data(length);
  }

  /** Whether anything follows an answer that should be complete. */
  async hearsMore(): Promise<boolean> {
    return (await this.reader.byte(SURPLUS_MS)) !== undefined;
  }

  /** `data` is 1 to 256 bytes and a multiple of four. */
  async write(address: number, data: Uint8Array): Promise<void> {
    await this.command(WRITE_MEMORY);
    await this.address(address);
    const count = data.length - 1;
    this.filler = fillerFor(data);
    await this.send(Uint8Array.of(count, ...data, xor(data, count)));
    await this.ack('data', data.length + 2);
  }

  /** Sector numbers, with the erase command that the chip has; `bytes` is their size, for the time-out. */
  async erase(command: number, sectors: readonly number[], bytes: number): Promise<void> {
    await this.command(command);
    const count = sectors.length - 1;
    const wide = [count >> 8, count & 0xff, ...sectors.flatMap((sector) => [sector >> 8, sector & 0xff])];
    const list = command === EXTENDED_ERASE ? wide : [count, ...sectors];
    await this.send(Uint8Array.of(...list, xor(list)));
    await this.ack(
      'data',
      list.length + 1,
      this.timeouts.eraseMs + (bytes / 1024) * this.timeouts.erasePerKibMs,
    );
  }

  async go(address: number): Promise<void> {
    await this.command(GO);
    await this.address(address);
  }

  private async command(code: number): Promise<void> {
    this.filler = FILLER;
    await this.reader.discard();
    await this.send(Uint8Array.of(code, code ^ 0xff));
    await this.ack('command', 2);
  }

  private async address(address: number): Promise<void> {
    const bytes = new Uint8Array(5);
    new DataView(bytes.buffer).setUint32(0, address);
    bytes[4] = xor(bytes);
    await this.send(bytes);
    await this.ack('address', bytes.length);
  }

  private async send(bytes: Uint8Array): Promise<void> {
    await this.transport.write(bytes, this.signal);
    if (!this.echo) return;
    const back = await this.exactly(bytes.length, this.patience() + bytes.length * this.msPerByte);
    if (Buffer.compare(back, bytes) !== 0) throw new LinkFault('garbled', 'data');
  }

  /** Passes over bytes that are neither yes nor no: some adapters and chips put a 0x00 before the answer. */
  private async ack(stage: Stage, sentBytes: number, resultMs = 0): Promise<void> {
    const { clock } = this.transport;
    const start = clock.now() + sentBytes * this.msPerByte;
    const until = start + resultMs + this.patience();
    for (let strays = 0; strays < STRAY_LIMIT; strays++) {
      const byte = await this.reader.byte(until - clock.now());
      if (byte === undefined) throw new LinkFault('silence', stage);
      if (byte === NACK) throw new LinkFault('refused', stage);
      if (byte === ACK) {
        if (resultMs === 0)
          this.slowestMs = Math.max(SLOWEST_DECAY * (this.slowestMs ?? 0), clock.now() - start);
        return;
      }
    }
    throw new LinkFault('garbled', stage);
  }

  /** How long an answer may take: a few times the slowest so far. */
  private patience(): number {
    if (this.slowestMs === undefined) return this.timeouts.ackMs;
    return Math.min(this.timeouts.ackMs, Math.max(this.timeouts.shortestAckMs, 4 * this.slowestMs));
  }

  private fillerPatience(): number {
    return Math.min(this.patience(), Math.max(this.timeouts.fillerMs, 2 * (this.slowestMs ?? 0)));
  }

  private async dataByte(): Promise<number> {
    const byte = await this.reader.byte(this.patience());
    if (byte === undefined) throw new LinkFault('silence', 'data');
    return byte;
  }

  private async data(length: number): Promise<Uint8Array> {
    const bytes = await this.exactly(length, this.fillerPatience());
    if (bytes.length < length) throw new LinkFault('short', 'data');
    return bytes;
  }

  private exactly(length: number, pauseMs: number): Promise<Uint8Array> {
    return this.reader.exactly(length, pauseMs, this.patience() + pauseMs + 2 * length * this.msPerByte);
  }

  /** Until nothing has been heard for a moment. */
  private async settle(): Promise<void> {
    for (let bytes = 0; bytes < SETTLE_LIMIT; bytes++) {
      if ((await this.reader.byte(this.fillerPatience())) === undefined) return;
    }
  }

  private async fillSingly(): Promise<boolean> {
    for (let i = 0; i < FILLER_SINGLES; i++) {
      await this.transport.write(Uint8Array.of(this.filler), this.signal);
      for (let answers = 0; answers < STRAY_LIMIT; answers++) {
        const byte = await this.reader.byte(this.fillerPatience());
        if (byte === NACK) return true;
        if (byte === undefined) break;
      }
    }
    return false;
  }
}
