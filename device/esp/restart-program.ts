import { chipFacts, type EspChip } from './chips.ts';
import { isFault } from './loader-fault.ts';
import { type LoaderSession, ROM_BAUD } from './loader-session.ts';
import { writeRegister } from './probe-chip.ts';
import { COMMAND, words } from './protocol.ts';

/** Reset of the whole chip as the first stage of the watchdog, after this many cycles of its slow clock. */
const WATCHDOG_RESETS = (0x8000_0000 | (5 << 28) | (1 << 8) | 2) >>> 0;
const WATCHDOG_CYCLES = 2_000;

/** Some chips with USB remember that they were told to stay in the loader. */
async function leaveLoader(session: LoaderSession, chip: EspChip): Promise<void> {
  const { forceDownload } = chipFacts[chip];
  if (!forceDownload) return;
  await tolerating(() => writeRegister(session, forceDownload.address, 0, forceDownload.mask));
}

/** Nothing depends on an answer: a chip that restarts at once may not give one. */
async function tolerating(step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

/** Lets the chip's watchdog restart it; false for chips without a known one. */
async function restartByWatchdog(session: LoaderSession, chip: EspChip): Promise<boolean> {
  const { watchdog } = chipFacts[chip];
  if (!watchdog) return false;
  await session.persist('set the watchdog', () => writeRegister(session, watchdog.protect, watchdog.key));
  await session.persist('set the watchdog', () => writeRegister(session, watchdog.config1, WATCHDOG_CYCLES));
  await tolerating(() => writeRegister(session, watchdog.config0, WATCHDOG_RESETS));
  return true;
}

/** Restarts the chip by what its loader can do, where no line is there for it. */
async function restartByLoader(session: LoaderSession, chip: EspChip): Promise<boolean> {
  if (await restartByWatchdog(session, chip)) return true;
  // The ROM leaves the loader at the end of a writing, even if nothing was written; the stub does not.
  if (session.link.isStub) return false;
  const begin = chip === 'esp32' ? words(0, 0, 1024, 0) : words(0, 0, 1024, 0, 0);
  await session.persist('leave the loader', () => session.link.request(COMMAND.flashBegin, begin));
  await tolerating(async () => void (await session.link.request(COMMAND.flashEnd, words(0))));
  return true;
}

/** Starts the program in flash: by the reset lines, or by the chip itself. False when neither is possible. */
export async function restartProgram(session: LoaderSession, chip: EspChip): Promise<boolean> {
  if (session.link.transport.hasSignals) {
    await leaveLoader(session, chip);
    if (await session.startProgram()) return true;
  }
  const restarted = await restartByLoader(session, chip);
  if (restarted) await session.link.setBaud(ROM_BAUD);
  return restarted;
}
