import { chipFacts, type EspChip, type SpiRegisters } from './chips.ts';
import { LoaderFault } from './loader-fault.ts';
import type { LoaderSession } from './loader-session.ts';
import { readRegister, writeRegister } from './probe-chip.ts';

export interface FlashIdentity {
  /** JEDEC manufacturer and device, as `esptool flash-id` prints them. */
  readonly manufacturer: number;
  readonly device: number;
  /** Undefined where the id does not tell it. */
  readonly bytes: number | undefined;
}

/** Asks for manufacturer, kind and size; all serial NOR flash knows it (JEDEC). */
const READ_ID = 0x9f;
const ID_BITS = 24;
/** Bits of the controller's registers (reference manuals, SPI_USER_REG, SPI_USER2_REG, SPI_CMD_REG). */
const USER_COMMAND = 0x8000_0000;
const USER_MISO = 1 << 28;
const COMMAND_BITS = 7 << 28;
const START = 1 << 18;
const POLLS = 10;

const MIB = 1024 * 1024;

/**
 * The third byte is the power of two of the size, in ranges that makers begin anew: bytes from 0x12 and 0x32 on (those of
 * 1.8 V), and 64 to 256 MiB again from 0x20 on.
 */
export function flashSizeOf(code: number): number | undefined {
  const inRange = (first: number, last: number) => code >= first && code <= last;
  if (inRange(0x12, 0x1c)) return 2 ** code;
  if (inRange(0x20, 0x22)) return 64 * MIB * 2 ** (code - 0x20);
  return inRange(0x32, 0x3a) ? 2 ** (code - 0x20) : undefined;
}

/** One command on the wires between chip and flash, by way of the controller's registers. */
async function readId(session: LoaderSession, spi: SpiRegisters): Promise<number> {
  const write = (offset: number, value: number) =>
    session.persist('ask the flash for its id', () => writeRegister(session, spi.base + offset, value));
  const read = (offset: number) =>
    session.persist('read the id of the flash', () => readRegister(session, spi.base + offset));
  const before = { user: await read(spi.user), user2: await read(spi.user2) };
  await write(spi.misoLength, ID_BITS - 1);
  await write(spi.user, USER_COMMAND | USER_MISO);
  await write(spi.user2, COMMAND_BITS | READ_ID);
  await write(spi.data, 0);
  await write(0, START);
  for (let poll = 0; ((await read(0)) & START) !== 0; poll++)
    if (poll === POLLS) throw new LoaderFault('silence');
  const id = await read(spi.data);
  await write(spi.user, before.user);
  await write(spi.user2, before.user2);
  return id & 0xff_ffff;
}

/** Which flash is on the board. The same answer twice: neither requests nor answers have a checksum here. */
export async function probeFlash(session: LoaderSession, chip: EspChip): Promise<FlashIdentity> {
  const id = await session.confirm('read the id of the flash', () => readId(session, chipFacts[chip].spi));
  return {
    manufacturer: id & 0xff,
    device: ((id & 0xff00) | (id >> 16)) & 0xffff,
    bytes: flashSizeOf(id >> 16),
  };
}
