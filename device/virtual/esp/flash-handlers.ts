import { createHash } from 'node:crypto';
import { COMMAND, SECTOR_BYTES, wordAt } from '../../esp/protocol.ts';
import { FlashReading } from './flash-reading.ts';
import { FlashSession } from './flash-session.ts';
import {
  answerThen,
  DONE,
  dataOf,
  type Handler,
  type LoaderMode,
  type Outcome,
  ofLength,
} from './loader-answers.ts';
import type { NorFlash } from './nor-flash.ts';

const ROM_DATA_LIMIT = 0x400;
export const STUB_DATA_LIMIT = 0x4000;
const ROM_READ_BYTES = 64;
const BEGIN_BYTES = 16;

export interface FlashHandlersOptions {
  readonly flash: NorFlash;
  readonly mode: LoaderMode;
  /** The ESP32's ROM knows no fifth parameter, and the others' want it. */
  readonly romBeginBytes: 16 | 20;
  /** The stub begins to send flash; what comes next are acknowledgements. */
  startReading(reading: FlashReading): void;
  /** The ROM leaves the loader. */
  leave(): void;
}

/** The commands that write, read, compare and erase flash. */
export class FlashHandlers {
  private readonly options: FlashHandlersOptions;
  private readonly flash: NorFlash;
  private readonly mode: LoaderMode;
  private session: FlashSession | undefined;

  constructor(options: FlashHandlersOptions) {
    this.options = options;
    this.flash = options.flash;
    this.mode = options.mode;
  }

  reset(): void {
    this.session = undefined;
  }

  table(): [number, Handler][] {
    return [
      [COMMAND.flashBegin, (body) => this.begin(body, false)],
      [COMMAND.deflateBegin, (body) => this.begin(body, true)],
      [COMMAND.flashData, (body, packet) => this.data(body, packet.value)],
      [COMMAND.deflateData, (body, packet) => this.data(body, packet.value)],
      [COMMAND.flashEnd, ofLength(4, () => this.end())],
      [COMMAND.deflateEnd, ofLength(4, () => this.end())],
      [COMMAND.flashMd5, ofLength(16, (body) => this.md5(body))],
      [COMMAND.readFlashSlow, ofLength(8, (body) => this.readSlow(body))],
      [COMMAND.eraseFlash, ofLength(0, () => this.erase(0, this.flash.size))],
      [COMMAND.eraseRegion, ofLength(8, (body) => this.eraseRegion(body))],
      [COMMAND.readFlash, ofLength(16, (body) => this.read(body))],
    ];
  }

  private get reachable(): boolean {
    return this.mode.isStub || this.mode.attached;
  }

  /** The ROM erases now, the stub as it goes; what a client sees is the same. */
  private begin(body: Uint8Array, compressed: boolean): Outcome {
    const { isStub } = this.mode;
    const long = isStub || this.options.romBeginBytes > BEGIN_BYTES;
    if (body.length !== (long ? 20 : BEGIN_BYTES) && !(isStub && body.length === BEGIN_BYTES))
      return 'length';
    const [size, address] = [wordAt(body, 0), wordAt(body, 12)];
    if (!this.reachable) return 'notBegun';
    if (!this.flash.has(address, size)) return 'flash';
    if (size > 0) this.flash.erase(address, size);
    this.session = new FlashSession(this.flash, address, size, compressed);
    return DONE;
  }

  private data(body: Uint8Array, sum: number): Outcome {
    const { session } = this;
    if (!session) return 'notBegun';
    const data = dataOf(body, sum, this.mode.isStub ? STUB_DATA_LIMIT : ROM_DATA_LIMIT);
    if (typeof data === 'string') return data;
    const write = () => (session.write(data) ? undefined : ('inflate' as const));
    // The stub writes while the next command is on its way.
    return this.mode.isStub ? { after: write } : (write() ?? DONE);
  }

  private end(): Outcome {
    if (!this.mode.isStub) return answerThen(() => this.options.leave());
    if (!this.session) return 'notBegun';
    if (this.session.remaining > 0) return 'length';
    this.session = undefined;
    return DONE;
  }

  private md5(body: Uint8Array): Outcome {
    const [address, length] = [wordAt(body, 0), wordAt(body, 4)];
    if (!this.flash.has(address, length) || !this.reachable) return 'flash';
    const digest = createHash('md5').update(this.flash.read(address, length)).digest();
    return { body: this.mode.isStub ? digest : Buffer.from(digest.toString('hex'), 'latin1') };
  }

  private readSlow(body: Uint8Array): Outcome {
    if (this.mode.isStub) return 'command';
    const [address, length] = [wordAt(body, 0), wordAt(body, 4)];
    if (length > ROM_READ_BYTES || !this.flash.has(address, length) || !this.reachable) return 'flash';
    const bytes = new Uint8Array(ROM_READ_BYTES);
    bytes.set(this.flash.read(address, length));
    return { body: bytes };
  }

  private erase(address: number, length: number): Outcome {
    if (!this.flash.has(address, length)) return 'flash';
    this.flash.erase(address, length);
    return DONE;
  }

  private eraseRegion(body: Uint8Array): Outcome {
    const [address, length] = [wordAt(body, 0), wordAt(body, 4)];
    if (address % SECTOR_BYTES !== 0 || length % SECTOR_BYTES !== 0) return 'length';
    return this.erase(address, length);
  }

  private read(body: Uint8Array): Outcome {
    const [address, length, packetBytes] = [wordAt(body, 0), wordAt(body, 4), wordAt(body, 8)];
    if (packetBytes > SECTOR_BYTES || packetBytes === 0) return 'length';
    if (!this.flash.has(address, length)) return 'flash';
    return answerThen(() =>
      this.options.startReading(new FlashReading(this.flash.read(address, length).slice(), packetBytes)),
    );
  }
}
