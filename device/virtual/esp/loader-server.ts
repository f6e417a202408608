import { chipFacts } from '../../esp/chips.ts';
import {
  COMMAND,
  decodePacket,
  encodePacket,
  GREETING,
  HEADER_BYTES,
  type Packet,
  REQUEST,
  RESPONSE,
  SYNC_ANSWERS,
  SYNC_BODY,
  wordAt,
  words,
} from '../../esp/protocol.ts';
import { encodeFrame, SlipDecoder } from '../../esp/slip.ts';
import { type FlasherStub, flasherStub } from '../../esp/stub.ts';
import type { EspProfile } from './esp-profile.ts';
import { FlashHandlers, STUB_DATA_LIMIT } from './flash-handlers.ts';
import type { FlashReading } from './flash-reading.ts';
import {
  answerThen,
  DONE,
  type Handler,
  type LoaderMode,
  type Outcome,
  ofLength,
  type Reason,
  statusOf,
} from './loader-answers.ts';
import { MemoryHandlers, ROM_MEMORY_LIMIT } from './memory-handlers.ts';
import type { NorFlash } from './nor-flash.ts';
import { LoadedRam } from './ram.ts';
import { Registers } from './registers.ts';
import { StubFrames } from './stub-frames.ts';

/** Room for a header beside the data. */
const ROM_FRAME_LIMIT = ROM_MEMORY_LIMIT + 64;
const STUB_FRAME_LIMIT = STUB_DATA_LIMIT + 64;
/** What the value of a ROM's answer to a sync tells a client that looks whether a stub is there: it is not zero. */
const ROM_SYNC_VALUE = 0x20120707;
const SECURE_DOWNLOAD = 1 << 2;

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
  private readonly profile: EspProfile;
  private readonly options: LoaderServerOptions;
  private readonly flashBytes: number;
  private readonly handlers: ReadonlyMap<number, Handler>;
  private readonly stubOfOurs: FlasherStub;
  private readonly ram = new LoadedRam();
  private readonly memory = new MemoryHandlers(this.ram, (entry) => this.jump(entry));
  private readonly flashing: FlashHandlers;
  private readonly mode: LoaderMode;
  private registers: Registers;
  private running: 'rom' | 'stub' | 'nothing' = 'rom';
  private readonly romFrames = new SlipDecoder(ROM_FRAME_LIMIT);
  private stubFrames = new StubFrames(STUB_FRAME_LIMIT);
  private reading: FlashReading | undefined;
  private late: Reason | undefined;
  private out: Uint8Array[] = [];

  constructor(flash: NorFlash, profile: EspProfile, options: LoaderServerOptions = {}) {
    this.profile = profile;
    this.options = options;
    this.flashBytes = flash.size;
    this.stubOfOurs = flasherStub(profile.chip, 0);
    this.registers = this.freshRegisters();
    const isStub = () => this.isStub;
    this.mode = {
      attached: false,
      get isStub() {
        return isStub();
      },
    };
    this.flashing = new FlashHandlers({
      flash,
      mode: this.mode,
      romBeginBytes: profile.chip === 'esp32' ? 16 : 20,
      startReading: (reading) => {
        this.reading = reading;
        this.sayFrames(reading.start());
      },
      leave: () => this.options.onRestart?.(),
    });
    this.handlers = new Map([...this.table(), ...this.memory.table(), ...this.flashing.table()]);
  }

  /** As after a reset into download mode. */
  reset(): void {
    this.running = 'rom';
    this.registers = this.freshRegisters();
    this.romFrames.reset();
    this.memory.reset();
    this.flashing.reset();
    this.mode.attached = false;
    this.reading = undefined;
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

  private get isStub(): boolean {
    return this.running === 'stub';
  }

  private freshRegisters(): Registers {
    return new Registers(this.profile, {
      flashBytes: this.flashBytes,
      overrides: this.options.registers,
      onWatchdog: () => this.options.onRestart?.(),
    });
  }

  private take(frame: Uint8Array): void {
    if (this.reading) {
      this.goOnReading(this.reading, frame);
      return;
    }
    const packet = decodePacket(frame);
    if (!packet) {
      if (frame.length >= HEADER_BYTES || this.isStub) this.refuse(frame[1] ?? 0, 'length');
    } else if (packet.direction === REQUEST) this.perform(packet);
    else if (this.isStub) this.refuse(packet.command, 'command');
  }

  /** What went wrong after the answer to a command is the answer to the next one, which is not done. */
  private perform(packet: Packet): void {
    const outcome = this.late ?? this.outcomeOf(packet);
    this.late = undefined;
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
    this.say(command, 0, undefined, statusOf(reason, this.isStub));
  }

  /** The ROM has two more bytes of status than the stub. */
  private say(command: number, value: number, body: Uint8Array | undefined, status: number): void {
    const rest = this.isStub ? [] : [0, 0];
    const whole = Uint8Array.from([...(body ?? []), status >> 8, status & 0xff, ...rest]);
    this.sayFrames([encodePacket({ direction: RESPONSE, command, value, body: whole })]);
  }

  private sayFrames(frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.out.push(encodeFrame(frame));
  }

  private table(): [number, Handler][] {
    return [
      [COMMAND.sync, ofLength(SYNC_BODY.length, () => this.sync())],
      [COMMAND.readReg, ofLength(4, (body) => ({ value: this.registers.read(wordAt(body, 0)) }))],
      [COMMAND.writeReg, (body) => this.writeRegisters(body)],
      [COMMAND.spiAttach, (body) => this.attach(body)],
      [COMMAND.spiSetParams, ofLength(24, () => DONE)],
      [COMMAND.changeBaud, ofLength(8, (body) => answerThen(() => this.options.onBaud?.(wordAt(body, 0))))],
      [COMMAND.securityInfo, ofLength(0, () => this.securityInfo())],
    ];
  }

  private sync(): Outcome {
    const value = this.isStub ? 0 : ROM_SYNC_VALUE;
    for (let i = 1; i < SYNC_ANSWERS; i++) this.say(COMMAND.sync, value, undefined, 0);
    return { value };
  }

  /** Done after the answer: one of them may restart the chip. */
  private writeRegisters(body: Uint8Array): Outcome {
    if (body.length === 0 || body.length % 16 !== 0) return 'length';
    return answerThen(() => {
      for (let at = 0; at < body.length; at += 16)
        this.registers.write(wordAt(body, at), wordAt(body, at + 4), wordAt(body, at + 8));
    });
  }

  private attach(body: Uint8Array): Outcome {
    if (body.length !== (this.isStub ? 4 : 8)) return 'length';
    this.mode.attached = true;
    return DONE;
  }

  private securityInfo(): Outcome {
    const { chip, tellsSecurity } = this.profile;
    if (!tellsSecurity) return 'command';
    const { flags = 0, cryptCount = 0 } = this.options.security ?? {};
    const keys = [cryptCount, 0, 0, 0, 0, 0, 0, 0];
    return { body: Uint8Array.from([...words(flags), ...keys, ...words(chipFacts[chip].chipId, 0)]) };
  }

  private jump(entry: number): void {
    const starts = this.ram.startsStub(entry, this.stubOfOurs);
    this.running = starts ? 'stub' : 'nothing';
    this.flashing.reset();
    this.stubFrames = new StubFrames(STUB_FRAME_LIMIT);
    if (starts) this.sayFrames([GREETING]);
  }

  private goOnReading(reading: FlashReading, frame: Uint8Array): void {
    this.sayFrames(reading.acknowledged(frame));
    if (reading.isOver) this.reading = undefined;
  }
}
