import { chipById, chipByMagic, chipFacts, type EspChip, MAGIC_ADDRESS } from './chips.ts';
import { chipUnknown } from './errors.ts';
import { isFault } from './loader-fault.ts';
import type { LoaderSession } from './loader-session.ts';
import { COMMAND, wordAt, words } from './protocol.ts';

export interface Security {
  readonly secureBoot: boolean;
  readonly encryptsFlash: boolean;
  readonly secureDownload: boolean;
}

export interface ProbedChip {
  readonly chip: EspChip;
  readonly security: Security;
}

/** Longer in the chips that tell their id. */
const SECURITY_WITH_ID = 20;
const SECURITY_WITHOUT_ID = 12;
const SECURE_BOOT = 1 << 0;
const SECURE_DOWNLOAD = 1 << 2;
const CRYPT_COUNT_AT = 4;
const CHIP_ID_AT = 12;
const LOOKS = 3;
/** A refusal is believed when it comes so often. */
const NOES = 3;

/** ESP32 reference manual, section on eFuses: block 0, words 0 and 6. */
const ESP32_FUSES = 0x3ff5a000;
const ESP32_CRYPT_COUNT = 0x7f << 20;
const ESP32_SECURE_BOOT = (1 << 4) | (1 << 5);

const NO_SECURITY: Security = { secureBoot: false, encryptsFlash: false, secureDownload: false };

const bitsOf = (value: number): number => value.toString(2).replaceAll('0', '').length;

/** Encryption is on while an odd number of bits is burnt. */
const isOdd = (count: number): boolean => bitsOf(count >>> 0) % 2 === 1;

export async function readRegister(session: LoaderSession, address: number): Promise<number> {
  return (await session.link.request(COMMAND.readReg, words(address))).value;
}

export async function writeRegister(
  session: LoaderSession,
  address: number,
  value: number,
  mask = 0xffff_ffff,
): Promise<void> {
  await session.link.request(COMMAND.writeReg, words(address, value, mask, 0));
}

/** What a command that not all chips know answers, the same twice; undefined when it is refused time and again. */
async function askOptional<T>(
  session: LoaderSession,
  step: string,
  ask: () => Promise<T>,
): Promise<T | undefined> {
  let noes = 0;
  return session.confirm(step, async () => {
    if (noes >= NOES) return undefined;
    try {
      const answer = await ask();
      noes = 0;
      return answer;
    } catch (error) {
      if (!isFault(error) || error.kind !== 'refused' || ++noes < NOES) throw error;
      // It was no fault of the line after all.
      session.retries -= NOES - 1;
      return undefined;
    }
  });
}

function securityOf(info: Uint8Array): Security {
  const flags = wordAt(info, 0);
  return {
    secureBoot: (flags & SECURE_BOOT) !== 0,
    encryptsFlash: isOdd(info[CRYPT_COUNT_AT]!),
    secureDownload: (flags & SECURE_DOWNLOAD) !== 0,
  };
}

async function esp32Security(session: LoaderSession): Promise<Security> {
  const read = (word: number) =>
    session.confirm('read the fuses', () => readRegister(session, ESP32_FUSES + 4 * word));
  const [first, seventh] = [await read(0), await read(6)];
  return {
    ...NO_SECURITY,
    secureBoot: (seventh & ESP32_SECURE_BOOT) !== 0,
    encryptsFlash: isOdd(first & ESP32_CRYPT_COUNT),
  };
}

async function look(session: LoaderSession): Promise<ProbedChip | string> {
  const info = await askOptional(session, 'read the security information', async () => {
    const resultBytes = [SECURITY_WITH_ID, SECURITY_WITHOUT_ID];
    const { result } = await session.link.request(COMMAND.securityInfo, new Uint8Array(0), { resultBytes });
    return [...result];
  });
  const security = info ? securityOf(Uint8Array.from(info)) : NO_SECURITY;
  if (info?.length === SECURITY_WITH_ID) {
    const id = wordAt(Uint8Array.from(info), CHIP_ID_AT);
    const chip = chipById(id);
    return chip ? { chip, security } : `it says that its id is ${id}`;
  }
  const magic = await askOptional(session, 'tell the kind of chip', () =>
    readRegister(session, MAGIC_ADDRESS),
  );
  // Only the ESP32-S2 has secure download mode without telling an id.
  if (magic === undefined) return { chip: 'esp32s2', security: { ...security, secureDownload: true } };
  const chip = chipByMagic(magic);
  if (!chip) return `its mark is 0x${magic.toString(16).padStart(8, '0')}`;
  return { chip, security: chip === 'esp32' ? await esp32Security(session) : security };
}

/** Which chip it is, by its own id or by a word of its ROM, and what its fuses forbid. E_WRONG_CHIP when unknown. */
export async function probeChip(session: LoaderSession, port: string): Promise<ProbedChip> {
  let mark = '';
  for (let i = 0; i < LOOKS; i++) {
    const found = await look(session);
    if (typeof found !== 'string') return found;
    mark = found;
  }
  throw chipUnknown(port, mark);
}

/** 100 * major + minor, for the chips of which there are stubs for several. */
export async function probeRevision(session: LoaderSession, chip: EspChip): Promise<number> {
  if (chip !== 'esp32p4') return 0;
  const word = await session.confirm('read the revision', () =>
    readRegister(session, chipFacts[chip].macAddress + 8),
  );
  const major = (((word >> 23) & 1) << 2) | ((word >> 4) & 3);
  return 100 * major + (word & 15);
}
