import type { Transport } from '../transport/transport.ts';
import { chipFacts, type EspChip } from './chips.ts';
import { otherChip, secureDownload } from './errors.ts';
import { FlashCommands } from './flash-commands.ts';
import { LoaderSession } from './loader-session.ts';
import { probeChip, probeRevision, type Security } from './probe-chip.ts';
import { type FlashIdentity, probeFlash } from './probe-flash.ts';
import { COMMAND, SECTOR_BYTES, words } from './protocol.ts';
import type { ResetWay } from './reset-sequence.ts';
import { changeBaud, startStub, stopWatchdogs } from './start-stub.ts';
import { defaultTimeouts, type LoaderTimeouts } from './timeouts.ts';

/** How a board is reached, for all that can be done through its loader. */
export interface LoaderOptions {
  /** The chip there should be; anything else is refused. Any chip is right when not given. */
  readonly chip?: EspChip;
  /** `classic` when not given. */
  readonly reset?: ResetWay;
  /** The highest rate to ask for, 460,800 when not given; on a line that does not bear it the first rate stays. */
  readonly baud?: number;
  /** Whether Espressif's stub is loaded, which is faster than the ROM. Yes by default. */
  readonly stub?: boolean;
  readonly signal?: AbortSignal;
  readonly timeouts?: Partial<LoaderTimeouts>;
}

/** A loader that answers, of a chip that is known. */
export interface Loader {
  readonly session: LoaderSession;
  readonly commands: FlashCommands;
  readonly chip: EspChip;
  readonly security: Security;
  readonly flash: FlashIdentity;
  readonly timeouts: LoaderTimeouts;
}

const FAST_BAUD = 460_800;
/** What is told of the flash besides its size: blocks, sectors, pages, and all bits of its status. */
const FLASH_GEOMETRY = [64 * 1024, SECTOR_BYTES, 256, 0xffff];
/** Where nothing is known the commands must not be refused for their addresses. */
const LARGEST_FLASH = 16 * 1024 * 1024;
const CHECK_MS = 20_000;

interface Preparation {
  readonly chip: EspChip;
  readonly revision: number;
  readonly timeouts: LoaderTimeouts;
  readonly stub: boolean;
  readonly overUsb: boolean;
  /** Told again once the flash said how large it is. */
  flashBytes: number;
  /** 0 for the one that there is, also once another turned out not to work. */
  baud: number;
}

/** Stub, flash and rate, in the order in which they can be had. */
async function prepare(session: LoaderSession, wanted: Preparation): Promise<void> {
  const { link } = session;
  if (wanted.overUsb && !link.isStub) await stopWatchdogs(session, wanted.chip);
  if (wanted.stub && !link.isStub) await startStub(session, wanted.chip, wanted.revision);
  await attachFlash(session, wanted.flashBytes);
  if (!link.isStub || wanted.overUsb || wanted.baud === 0) return;
  if (await changeBaud(session, wanted.baud, wanted.timeouts)) return;
  wanted.baud = 0;
  await session.reconnect('go back to a lower baud rate');
  await prepare(session, wanted);
}

async function attachFlash(session: LoaderSession, flashBytes: number): Promise<void> {
  const { link } = session;
  // The stub did it when it started.
  if (!link.isStub)
    await session.persist('attach the flash', () => link.request(COMMAND.spiAttach, words(0, 0)));
  await describeFlash(session, flashBytes);
}

async function describeFlash(session: LoaderSession, bytes: number): Promise<void> {
  const parameters = words(0, bytes, ...FLASH_GEOMETRY);
  await session.persist('describe the flash', () => session.link.request(COMMAND.spiSetParams, parameters));
}

/**
 * Starts the loader of the chip behind a port and finds out what the chip is. Nothing is changed in its flash.
 * Errors: E_BOARD_SILENT, E_WRONG_CHIP, E_SECURE_DOWNLOAD, E_DEVICE_LOST, E_FLASH_LINK, E_RESET_SEQUENCE.
 */
export async function openLoader(transport: Transport, options: LoaderOptions): Promise<Loader> {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const reset = options.reset ?? 'classic';
  const baud = options.baud ?? FAST_BAUD;
  const session = new LoaderSession(transport, {
    reset,
    timeouts,
    signal: options.signal,
    otherBaud: baud,
  });
  await session.connect();
  session.deadline = transport.clock.now() + CHECK_MS;
  const { chip, security } = await probeChip(session, transport.name);
  if (options.chip !== undefined && chip !== options.chip)
    throw otherChip(transport.name, chipFacts[chip].name, chipFacts[options.chip].name);
  if (security.secureDownload) throw secureDownload(transport.name);
  const revision = await probeRevision(session, chip);
  const wanted = {
    chip,
    revision,
    timeouts,
    stub: options.stub ?? true,
    overUsb: reset === 'usb-jtag-serial',
    flashBytes: LARGEST_FLASH,
    baud: session.link.isStub ? 0 : baud,
  };
  session.deadline = Number.POSITIVE_INFINITY;
  session.prepare = () => prepare(session, wanted);
  await session.bringUp();
  const flash = await probeFlash(session, chip);
  if (flash.bytes !== undefined) {
    wanted.flashBytes = flash.bytes;
    await describeFlash(session, flash.bytes);
  }
  const commands = new FlashCommands(session, timeouts, chip === 'esp32');
  return { session, commands, chip, security, flash, timeouts };
}
