import { flashLinkBad } from '../errors.ts';
import type { Transport } from '../transport/transport.ts';
import type { EspRange } from './erase-esp.ts';
import { rangeOutside } from './errors.ts';
import { md5Of } from './flash-commands.ts';
import { isFault, LoaderFault } from './loader-fault.ts';
import { type Loader, type LoaderOptions, openLoader } from './open-loader.ts';
import { COMMAND, SECTOR_BYTES, words } from './protocol.ts';

export interface ReadEspOptions extends LoaderOptions {
  readonly range: EspRange;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Large pieces while the line is good, smaller ones after faults. */
const PIECES = [64 * 1024, 4096, 1024, 256];
/** The ROM gives this much at a time. */
const ROM_READ_BYTES = 64;
const ATTEMPTS = 40;
const GROW_AFTER = 8;
const IN_FLIGHT = 64;
const MD5_BYTES = 16;
const SYNCS = 6;

/** The stub sends packets, each of which is acknowledged, and then the MD5 of all. */
async function readByStub({ session }: Loader, address: number, bytes: number): Promise<Uint8Array> {
  const { link } = session;
  const packetBytes = Math.min(bytes, SECTOR_BYTES);
  await link.request(COMMAND.readFlash, words(address, bytes, packetBytes, IN_FLIGHT));
  const packets: Uint8Array[] = [];
  for (let got = 0; got < bytes; ) {
    const packet = await link.nextData(onWireMs(packetBytes, link.baud));
    if (packet?.length !== Math.min(packetBytes, bytes - got)) throw new LoaderFault('silence');
    packets.push(packet);
    got += packet.length;
    await link.sendBare(words(got));
  }
  const read = Buffer.concat(packets);
  const digest = await link.nextData(onWireMs(MD5_BYTES, link.baud));
  if (digest?.length !== MD5_BYTES || Buffer.from(digest).toString('hex') !== md5Of(read))
    throw new LoaderFault('silence');
  return read;
}

const onWireMs = (bytes: number, baud: number): number => (2 * bytes * 12 * 1000) / baud;

/** Little by little, and without a checksum. */
async function readByRom({ session }: Loader, address: number, bytes: number): Promise<Uint8Array> {
  const read = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += ROM_READ_BYTES) {
    const length = Math.min(ROM_READ_BYTES, bytes - at);
    const { result } = await session.persist('read the flash', () =>
      session.link.request(COMMAND.readFlashSlow, words(address + at, length), {
        resultBytes: ROM_READ_BYTES,
      }),
    );
    read.set(result.subarray(0, length), at);
  }
  return read;
}

/** A reading that broke off leaves the stub waiting for acknowledgements; anything else ends that. */
async function leaveReading({ session }: Loader): Promise<void> {
  for (let i = 0; i < SYNCS; i++) if (await session.link.sync()) return;
}

/**
 * Reads a range of the flash of an ESP32-family chip; every piece is compared with an MD5 that the chip computed.
 * Errors: E_FLASH_RANGE, E_BOARD_SILENT, E_WRONG_CHIP, E_SECURE_DOWNLOAD, E_DEVICE_LOST, E_FLASH_LINK.
 */
export async function readEsp(transport: Transport, options: ReadEspOptions): Promise<Uint8Array> {
  const loader = await openLoader(transport, options);
  const { address, bytes } = options.range;
  const flashBytes = loader.flash.bytes ?? Number.POSITIVE_INFINITY;
  if (address < 0 || bytes < 0 || address + bytes > flashBytes)
    throw rangeOutside(address, bytes, flashBytes);
  const whole = new Uint8Array(bytes);
  const reader = new PieceReader(loader);
  for (let done = 0; done < bytes; ) {
    const piece = await reader.read(address + done, bytes - done);
    whole.set(piece, done);
    done += piece.length;
    options.onProgress?.(done, bytes);
  }
  return whole;
}

/** Reads the next piece, as large as the line lets through. */
class PieceReader {
  private size = 0;
  private good = 0;
  private readonly loader: Loader;

  constructor(loader: Loader) {
    this.loader = loader;
  }

  async read(address: number, most: number): Promise<Uint8Array> {
    const { session, commands } = this.loader;
    const step = `read the flash at 0x${address.toString(16)}`;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const bytes = Math.min(most, commands.isStub ? PIECES[this.size]! : SECTOR_BYTES);
      try {
        const piece = await (commands.isStub ? readByStub : readByRom)(this.loader, address, bytes);
        // A request whose address was damaged on its way brings the right bytes of another place.
        const md5 = await session.persist(step, () => commands.md5(address, bytes));
        if (md5 !== md5Of(piece)) throw new LoaderFault('silence');
        this.succeeded();
        return piece;
      } catch (error) {
        if (!isFault(error)) throw error;
        await this.failed(error, step);
      }
    }
    throw flashLinkBad(session.link.transport.name, step, session.retries);
  }

  private succeeded(): void {
    if (++this.good < GROW_AFTER) return;
    this.good = 0;
    this.size = Math.max(1, this.size - 1);
  }

  private async failed(fault: LoaderFault, step: string): Promise<void> {
    this.good = 0;
    this.size = Math.min(PIECES.length - 1, this.size + 1);
    if (this.loader.commands.isStub) await leaveReading(this.loader);
    try {
      await this.loader.session.noteFault(fault, step);
    } catch (error) {
      // Started anew: each piece is read by itself, so nothing is lost.
      if (!isFault(error)) throw error;
    }
  }
}
