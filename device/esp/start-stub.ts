import { chipFacts, type EspChip } from './chips.ts';
import { isFault } from './loader-fault.ts';
import type { LoaderSession } from './loader-session.ts';
import { readRegister, writeRegister } from './probe-chip.ts';
import { COMMAND, checksum, words } from './protocol.ts';
import { type FlasherStub, flasherStub } from './stub.ts';
import type { LoaderTimeouts } from './timeouts.ts';

/** The ROM takes 6 KiB, but over USB-OTG 2 KiB. Small ones suffer less on a bad line. */
const BLOCK_SIZES = [2048, 512, 128];
const STARTS = 8;
const PROBES = 3;
const BAUD_CHANGES = 3;

/** Each block by itself: without erasing, beginning anew at any place costs nothing, and a repeated block does no harm. */
async function loadBlock(session: LoaderSession, address: number, bytes: Uint8Array): Promise<void> {
  const { link } = session;
  await link.request(COMMAND.memBegin, words(bytes.length, 1, bytes.length, address));
  const body = Buffer.concat([words(bytes.length, 0, 0, 0), bytes]);
  await link.request(COMMAND.memData, body, { sum: checksum(bytes) });
}

/** A line that damaged a large block gets smaller ones from then on. */
async function loadSegment(
  session: LoaderSession,
  address: number,
  bytes: Uint8Array,
  retriesBefore: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const rough = Math.min(session.retries - retriesBefore, BLOCK_SIZES.length - 1);
    const block = bytes.subarray(at, at + BLOCK_SIZES[rough]!);
    try {
      await loadBlock(session, address + at, block);
      at += block.length;
    } catch (error) {
      if (!isFault(error)) throw error;
      await session.noteFault(error, 'load the flasher stub');
    }
  }
}

async function run(session: LoaderSession, stub: FlasherStub): Promise<boolean> {
  await session.link.tell(COMMAND.memEnd, words(0, stub.entry));
  const greeted = await session.link.hearGreeting();
  // Its first words may have been damaged; a sync tells as well.
  if (greeted || (await session.link.sync())) session.link.isStub ||= greeted;
  return session.link.isStub;
}

/**
 * Loads the stub and runs it. One that was damaged on the way without a trace, which a checksum of eight bits lets
 * happen, does not start: then the chip is reset and all is done again. False when it never starts.
 */
export async function startStub(session: LoaderSession, chip: EspChip, revision: number): Promise<boolean> {
  const stub = flasherStub(chip, revision);
  for (let start = 0; start < STARTS; start++) {
    const before = session.retries;
    for (const { address, bytes } of stub.segments) await loadSegment(session, address, bytes, before);
    if (await run(session, stub)) return true;
    session.retries++;
    await session.reconnect('start the flasher stub');
    if (session.link.isStub) return true;
  }
  return false;
}

/** Whether both sides hear each other at the present rate. */
async function hearsAt(session: LoaderSession): Promise<boolean> {
  for (let probe = 0; probe < PROBES; probe++) if (await session.link.sync()) return true;
  return false;
}

/**
 * Goes to a higher rate if that works in both directions, else stays at the one that does. False when neither is
 * heard: then the chip has to be reset.
 */
export async function changeBaud(
  session: LoaderSession,
  baud: number,
  timeouts: LoaderTimeouts,
): Promise<boolean> {
  const { link } = session;
  const before = link.baud;
  for (let attempt = 0; attempt < BAUD_CHANGES && link.baud !== baud; attempt++) {
    const refused = await asksForBaud(session, baud);
    if (refused) return true;
    await link.setBaud(baud);
    // Bytes of the change itself may be damaged.
    await link.listen(timeouts.quietMs, 2 * timeouts.quietMs);
    if (await hearsAt(session)) return true;
    await link.setBaud(before);
    if (!(await hearsAt(session))) return false;
  }
  return true;
}

/** True when the loader says no. No answer leaves open whether it did it. */
async function asksForBaud(session: LoaderSession, baud: number): Promise<boolean> {
  try {
    await session.link.request(COMMAND.changeBaud, words(baud, session.link.baud));
    return false;
  } catch (error) {
    if (!isFault(error)) throw error;
    session.retries++;
    return error.kind === 'refused' && !error.arrivedDamaged;
  }
}

/** Over the chip's own USB controller its watchdogs go on and would end the loader; they are turned off. */
export async function stopWatchdogs(session: LoaderSession, chip: EspChip): Promise<void> {
  const { watchdog } = chipFacts[chip];
  if (!watchdog) return;
  const write = (address: number, value: number) =>
    session.persist('stop the watchdog', () => writeRegister(session, address, value));
  await write(watchdog.protect, watchdog.key);
  await write(watchdog.config0, 0);
  await write(watchdog.protect, 0);
  const { superConfig } = watchdog;
  if (superConfig === undefined) return;
  const config = await session.confirm('read the watchdog', () => readRegister(session, superConfig));
  await write(watchdog.superProtect, watchdog.superKey);
  await write(superConfig, (config | watchdog.superAutoFeed) >>> 0);
  await write(watchdog.superProtect, 0);
}
