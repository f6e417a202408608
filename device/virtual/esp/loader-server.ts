import { createHash } from 'node:crypto';
import type { EspChip } from '../../esp/chips.ts';
import { chipFacts } from '../../esp/chips.ts';
import {
  COMMAND,
  checksum,
  DATA_HEADER_BYTES,
  decodePacket,
  encodePacket,
  GREETING,
  HEADER_BYTES,
  type Packet,
  REQUEST,
  RESPONSE,
  SECTOR_BYTES,
  SYNC_ANSWERS,
  wordAt,
  words,
} from '../../esp/protocol.ts';
import { encodeFrame, SlipDecoder } from '../../esp/slip.ts';
import { type FlasherStub, flasherStub } from '../../esp/stub.ts';
import type { EspProfile } from './esp-profile.ts';
import { FlashReading } from './flash-reading.ts';
import { FlashSession } from './flash-session.ts';
import type { NorFlash } from './nor-flash.ts';
import { LoadedRam } from './ram.ts';
import { Registers } from './registers.ts';
import { StubFrames } from './stub-frames.ts';

/** Reasons of the ROM, in the second byte of its status (esptool documentation). */
const ROM = { invalid: 0x05, failed: 0x06, checksum: 0x07, write: 0x08, read: 0x09, inflate: 0x0b } as const;
/** Reasons of the stub, both bytes of its status. */
const STUB = {
  length: 0xc000,
  checksum: 0xc100,
  command: 0xc300,
  flash: 0xc400,
  notBegun: 0xc600,
  inflate: 0xc700,
  tooMuch: 0xc900,
} as const;
type Reason = keyof typeof STUB;

const ROM_REASONS: Readonly<Record<Reason, number>> = {
  length: ROM.invalid,
  checksum: ROM.checksum,
  command: ROM.invalid,
  flash: ROM.write,
  notBegun: ROM.failed,
  inflate: ROM.inflate,
  tooMuch: ROM.failed,
};

/** The ROM takes no longer data commands; the stub has two buffers of this size and a header. */
const ROM_DATA_LIMIT = 0x400;
const ROM_MEMORY_LIMIT = 0x1800;
const STUB_FRAME_LIMIT = 0x4000 + 64;
const ROM_READ_BYTES = 64;
/** What the value of a ROM's answer to a sync tells a client that looks whether a stub is there: it is not zero. */
const ROM_SYNC_VALUE = 0x20120707;
const SECURE_DOWNLOAD = 1 << 2;

interface Answer {
  readonly value?: number;
  readonly body?: Uint8Array;
  /** What is done after the answer is out; a reason it fails with is told to the next command. */
  readonly after?: () => Reason | undefined;
}

type Outcome = Answer | Reason;
type Handler = (body: Uint8Array, packet: Packet) => Outcome;

/** Fuses that keep a chip from being written or read. */
export interface EspSecurity {
  readonly flags?: number;
  readonly cryptCount?: number;
}

export interface LoaderServerOptions {
  readonly security?: EspSecurity | undefined;
  readonly registers?: ReadonlyMap<number, number> | undefined;
  /** The chip's UART has another rate from now on. */
  readonly onBaud?: (baud: number) => void;
  /** The chip starts anew, by its watchdog or because the client is done. */
  readonly onRestart?: () => void;
}

const DONE: Answer = {};
const OK_IN_SECURE_MODE = new Set<number>([
  COMMAND.sync,
  COMMAND.flashBegin,
  COMMAND.flashData,
  COMMAND.flashEnd,
  COMMAND.deflateBegin,
  COMMAND.deflateData,
  COMMAND.deflateEnd,
  COMMAND.spiAttach,
  COMMAND.spiSetParams,
  COMMAND.changeBaud,
  COMMAND.securityInfo,
]);

/** The chip's half of the loader protocol, of the ROM and, once it was loaded, of the stub: bytes in, bytes out. */
export class LoaderServer {
  readonly flash: NorFlash;
  private readonly chip: EspChip;
  private readonly profile: EspProfile;
  private readonly options: LoaderServerOptions;
  private readonly handlers: ReadonlyMap<number, Handler>;
  private readonly stubOfOurs: FlasherStub;
  private readonly ram = new LoadedRam();
  private registers: Registers;
  private running: 'rom' | 'stub' | 'nothing' = 'rom';
  private romFrames = new SlipDecoder(ROM_MEMORY_LIMIT + 64);
  private stubFrames = new StubFrames(STUB_FRAME_LIMIT);
  private session: FlashSession | undefined;
  private loading: { address: number; remaining: number } | undefined;
  private reading: FlashReading | undefined;
  private attached = false;
  private late: Reason | undefined;
  private out: Uint8Array[] = [];

  constructor(flash: NorFlash, profile: EspProfile, options: LoaderServerOptions = {}) {
    this.flash = flash;
    this.profile = profile;
    this.chip = profile.chip;
    this.options = options;
    this.stubOfOurs = flasherStub(this.chip, 0);
    this.registers = this.freshRegisters();
    this.handlers = this.commandTable();
  }

  /** As after a reset into download mode. */
  reset(): void {
    this.running = 'rom';
    this.registers = this.freshRegisters();
    this.romFrames.reset();
    this.ram.clear();
    this.session = undefined;
    this.loading = undefined;
    this.reading = undefined;
    this.attached = false;
    this.late = undefined;
    this.out = [];
  }

  receive(bytes: Uint8Array): Uint8Array {
    for (const byte of bytes) {
      if (this.running === 'rom') {
        for (const frame of this.romFrames.decode(Uint8Array.of(byte))) this.take(frame);
      } else if (this.running === 'stub') {
        const frame = this.stubFrames.take(byte);
        if (frame) this.take(frame);
      }
    }
    const answer = Buffer.concat(this.out);
    this.out = [];
    return answer;
  }

  private freshRegisters(): Registers {
    return new Registers(this.profile, {
      flashBytes: this.flash.size,
      overrides: this.options.registers,
      onWatchdog: () => this.options.onRestart?.(),
    });
  }

  private get isStub(): boolean {
    return this.running === 'stub';
  }

  private take(frame: Uint8Array): void {
    if (this.reading) {
      this.goOnReading(frame);
      return;
    }
    const packet = decodePacket(frame);
    if (!packet) {
      if (frame.length >= HEADER_BYTES || this.isStub) this.refuse(frame[1] ?? 0, 'length');
      return;
    }
    if (packet.direction !== REQUEST) {
      if (this.isStub) this.refuse(packet.command, 'command');
      return;
    }
    const { late } = this;
    this.late = undefined;
    if (late) this.refuse(packet.command, late);
    else this.perform(packet);
  }

  private perform(packet: Packet): void {
    const outcome = this.outcomeOf(packet);
    if (typeof outcome === 'string') {
      this.refuse(packet.command, outcome);
      return;
    }
    this.say(packet.command, outcome.value ?? 0, outcome.body, 0);
    this.late = outcome.after?.();
  }

  private outcomeOf(packet: Packet): Outcome {
    const handler = this.handlers.get(packet.command);
    const secure = ((this.options.security?.flags ?? 0) & SECURE_DOWNLOAD) !== 0;
    if (!handler || (secure && !OK_IN_SECURE_MODE.has(packet.command))) return 'command';
    if (packet.command >= COMMAND.eraseFlash && !this.isStub) return 'command';
    return handler(packet.body, packet);
  }

  private refuse(command: number, reason: Reason): void {
    this.say(command, 0, undefined, this.isStub ? STUB[reason] : 0x100 | ROM_REASONS[reason]);
  }

  /** The ROM has two more bytes of status than the stub. */
  private say(command: number, value: number, body: Uint8Array | undefined, status: number): void {
    const rest = this.isStub ? [] : [0, 0];
    const whole = Uint8Array.from([...(body ?? []), status >> 8, status & 0xff, ...rest]);
    this.out.push(encodeFrame(encodePacket({ direction: RESPONSE, command, value, body: whole })));
  }

  private commandTable(): Map<number, Handler> {
    return new Map<number, Handler>([
      [COMMAND.sync, (body) => this.sync(body)],
      [COMMAND.readReg, (body) => (body.length === 4 ? this.readRegister(body) : 'length')],
      [COMMAND.writeReg, (body) => this.writeRegisters(body)],
      [COMMAND.spiAttach, (body) => this.attach(body)],
      [COMMAND.spiSetParams, (body) => (body.length === 24 ? DONE : 'length')],
      [COMMAND.changeBaud, (body) => this.changeBaud(body)],
      [COMMAND.memBegin, (body) => this.memoryBegin(body)],
      [COMMAND.memData, (body, packet) => this.memoryData(body, packet.value)],
      [COMMAND.memEnd, (body) => this.memoryEnd(body)],
      [COMMAND.flashBegin, (body) => this.flashBegin(body, false)],
      [COMMAND.deflateBegin, (body) => this.flashBegin(body, true)],
      [COMMAND.flashData, (body, packet) => this.flashData(body, packet.value)],
      [COMMAND.deflateData, (body, packet) => this.flashData(body, packet.value)],
      [COMMAND.flashEnd, (body) => this.flashEnd(body)],
      [COMMAND.deflateEnd, (body) => this.flashEnd(body)],
      [COMMAND.flashMd5, (body) => this.md5(body)],
      [COMMAND.readFlashSlow, (body) => this.readSlow(body)],
      [COMMAND.securityInfo, () => this.securityInfo()],
      [COMMAND.eraseFlash, () => this.erase(0, this.flash.size)],
      [COMMAND.eraseRegion, (body) => this.eraseRegion(body)],
      [COMMAND.readFlash, (body) => this.readFlash(body)],
    ]);
  }

  private sync(body: Uint8Array): Outcome {
    if (body.length !== 36) return 'length';
    const value = this.isStub ? 0 : ROM_SYNC_VALUE;
    for (let i = 1; i < SYNC_ANSWERS; i++) this.say(COMMAND.sync, value, undefined, 0);
    return { value };
  }

  private readRegister(body: Uint8Array): Outcome {
    return { value: this.registers.read(wordAt(body, 0)) };
  }

  private writeRegisters(body: Uint8Array): Outcome {
    if (body.length === 0 || body.length % 16 !== 0) return 'length';
    return {
      after: () => {
        for (let at = 0; at < body.length; at += 16)
          this.registers.write(wordAt(body, at), wordAt(body, at + 4), wordAt(body, at + 8));
        return undefined;
      },
    };
  }

  private attach(body: Uint8Array): Outcome {
    if (body.length !== (this.isStub ? 4 : 8)) return 'length';
    this.attached = true;
    return DONE;
  }

  private changeBaud(body: Uint8Array): Outcome {
    if (body.length !== 8) return 'length';
    return {
      after: () => {
        this.options.onBaud?.(wordAt(body, 0));
        return undefined;
      },
    };
  }

  private memoryBegin(body: Uint8Array): Outcome {
    if (body.length !== 16) return 'length';
    this.loading = { address: wordAt(body, 12), remaining: wordAt(body, 0) };
    return DONE;
  }

  /** The data of a data command, if all about it is right; the stub looks at no checksum of what goes to RAM. */
  private dataOf(body: Uint8Array, sum: number, limit: number): Uint8Array | Reason {
    if (body.length < DATA_HEADER_BYTES) return 'length';
    const data = body.subarray(DATA_HEADER_BYTES);
    if (wordAt(body, 0) !== data.length || data.length > limit) return 'length';
    return checksum(data) === sum ? data : 'checksum';
  }

  private memoryData(body: Uint8Array, sum: number): Outcome {
    if (!this.loading) return 'notBegun';
    const data = this.dataOf(body, sum, ROM_MEMORY_LIMIT);
    if (typeof data === 'string') return data;
    if (data.length > this.loading.remaining) return 'tooMuch';
    this.ram.load(this.loading.address, data);
    this.loading = {
      address: this.loading.address + data.length,
      remaining: this.loading.remaining - data.length,
    };
    return DONE;
  }

  private memoryEnd(body: Uint8Array): Outcome {
    if (body.length !== 8) return 'length';
    const [stay, entry] = [wordAt(body, 0), wordAt(body, 4)];
    return {
      after: () => {
        if (stay === 0) this.jump(entry);
        return undefined;
      },
    };
  }

  private jump(entry: number): void {
    const starts = this.ram.startsStub(entry, this.stubOfOurs);
    this.running = starts ? 'stub' : 'nothing';
    this.session = undefined;
    this.stubFrames = new StubFrames(STUB_FRAME_LIMIT);
    if (starts) this.out.push(encodeFrame(GREETING));
  }

  /** The ROM erases now, the stub as it goes; what a client sees is the same. */
  private flashBegin(body: Uint8Array, compressed: boolean): Outcome {
    const extended = this.isStub || this.chip !== 'esp32';
    if (body.length !== (extended ? 20 : 16) && !(this.isStub && body.length === 16)) return 'length';
    const [size, address] = [wordAt(body, 0), wordAt(body, 12)];
    if (!this.isStub && !this.attached) return 'notBegun';
    if (!this.flash.has(address, size)) return 'flash';
    this.flash.erase(address, size === 0 ? 0 : size);
    this.session = new FlashSession(this.flash, address, size, compressed);
    return DONE;
  }

  private flashData(body: Uint8Array, sum: number): Outcome {
    const { session } = this;
    if (!session) return 'notBegun';
    const data = this.dataOf(body, sum, this.isStub ? STUB_FRAME_LIMIT : ROM_DATA_LIMIT);
    if (typeof data === 'string') return data;
    const copy = data.slice();
    const write = () => (session.write(copy) ? undefined : ('inflate' as const));
    // The stub writes while the next command is on its way.
    return this.isStub ? { after: write } : (write() ?? DONE);
  }

  private flashEnd(body: Uint8Array): Outcome {
    if (body.length !== 4) return 'length';
    if (this.isStub) {
      if (!this.session) return 'notBegun';
      if (this.session.remaining > 0) return 'length';
      this.session = undefined;
      return DONE;
    }
    return {
      after: () => {
        this.options.onRestart?.();
        return undefined;
      },
    };
  }

  private md5(body: Uint8Array): Outcome {
    if (body.length !== 16) return 'length';
    const [address, length] = [wordAt(body, 0), wordAt(body, 4)];
    if (!this.flash.has(address, length) || (!this.isStub && !this.attached)) return 'flash';
    const digest = createHash('md5').update(this.flash.read(address, length)).digest();
    return { body: this.isStub ? digest : Buffer.from(digest.toString('hex'), 'latin1') };
  }

  private readSlow(body: Uint8Array): Outcome {
    if (body.length !== 8 || this.isStub) return 'command';
    const [address, length] = [wordAt(body, 0), wordAt(body, 4)];
    if (length > ROM_READ_BYTES || !this.flash.has(address, length) || !this.attached) return 'flash';
    const bytes = new Uint8Array(ROM_READ_BYTES);
    bytes.set(this.flash.read(address, length));
    return { body: bytes };
  }

  private securityInfo(): Outcome {
    if (!this.profile.tellsSecurity) return 'command';
    const { flags = 0, cryptCount = 0 } = this.options.security ?? {};
    const keys = [cryptCount, 0, 0, 0, 0, 0, 0, 0];
    return { body: Uint8Array.from([...words(flags), ...keys, ...words(chipFacts[this.chip].chipId, 0)]) };
  }

  private erase(address: number, length: number): Outcome {
    if (!this.flash.has(address, length)) return 'flash';
    this.flash.erase(address, length);
    return DONE;
  }

  private eraseRegion(body: Uint8Array): Outcome {
    if (body.length !== 8) return 'length';
    const [address, length] = [wordAt(body, 0), wordAt(body, 4)];
    if (address % SECTOR_BYTES !== 0 || length % SECTOR_BYTES !== 0) return 'length';
    return this.erase(address, length);
  }

  private readFlash(body: Uint8Array): Outcome {
    if (body.length !== 16) return 'length';
    const [address, length, packetBytes] = [wordAt(body, 0), wordAt(body, 4), wordAt(body, 8)];
    if (packetBytes > SECTOR_BYTES || packetBytes === 0) return 'length';
    if (!this.flash.has(address, length)) return 'flash';
    return {
      after: () => {
        this.reading = new FlashReading(this.flash.read(address, length).slice(), packetBytes);
        this.sayFrames(this.reading.start());
        return undefined;
      },
    };
  }

  private goOnReading(frame: Uint8Array): void {
    this.sayFrames(this.reading!.acknowledged(frame));
    if (this.reading!.isOver) this.reading = undefined;
  }

  private sayFrames(frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.out.push(encodeFrame(frame));
  }
}
