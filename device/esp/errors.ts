import { TinymlError } from '../../common/tinyml-error.ts';
import { excerpt } from '../errors.ts';

const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, '0')}`;
const untouched = 'nothing was erased';

/** What was heard while nothing answered, as far as it tells why. */
export interface ConnectDiagnosis {
  readonly port: string;
  readonly hasSignals: boolean;
  /** The last `boot:0x..` of a boot log, and whether the loader said that it waits. */
  readonly bootMode: string | undefined;
  readonly waits: boolean;
  readonly heard: Uint8Array;
}

function silenceReason({ bootMode, waits, heard }: ConnectDiagnosis): string {
  if (waits) return 'the loader says that it waits, but hears nothing of what is sent';
  if (bootMode !== undefined) return `the chip starts its program instead (boot:${bootMode})`;
  return heard.length === 0
    ? 'nothing was received'
    : `received instead, at the end: ${excerpt(heard.subarray(-48))}`;
}

function silenceHint({ hasSignals, bootMode, waits, heard }: ConnectDiagnosis): string {
  if (waits) return "check the line from the adapter's TX to the chip's RX";
  if (!hasSignals || bootMode !== undefined)
    return 'hold BOOT (IO0 low), press and release EN (RST), release BOOT, and try again';
  return heard.length === 0
    ? 'check power, port and cable (some USB cables only charge); or hold BOOT and press EN'
    : 'another program may be talking, or the rate is wrong; hold BOOT, press EN, and try again';
}

export function loaderSilent(diagnosis: ConnectDiagnosis): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_SILENT',
    exit: 2,
    what: `no ESP32 boot loader answers on port ${diagnosis.port}`,
    measure: silenceReason(diagnosis),
    hint: silenceHint(diagnosis),
  });
}

export function chipUnknown(port: string, mark: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_CHIP',
    exit: 2,
    what: `the chip on port ${port} is none that tinyml knows: ${mark}`,
    measure: untouched,
    hint: 'it knows ESP32, ESP32-S2, S3, C3, C6 and P4',
  });
}

export function otherChip(port: string, found: string, wanted: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_CHIP',
    exit: 2,
    what: `the chip on port ${port} is an ${found}, but the board description says ${wanted}`,
    measure: untouched,
    hint: 'choose the right --board or the right --port',
  });
}

export function secureDownload(port: string): TinymlError {
  return new TinymlError({
    code: 'E_SECURE_DOWNLOAD',
    exit: 2,
    what: `the chip on port ${port} is in secure download mode, in which nothing can be read back or verified`,
    measure: untouched,
    hint: 'this is burnt into the chip and cannot be undone; use another board',
  });
}

export function secureBoot(port: string): TinymlError {
  return new TinymlError({
    code: 'E_SECURE_BOOT',
    exit: 2,
    what: `the chip on port ${port} has secure boot, so it starts nothing that is not signed with its key`,
    measure: untouched,
    hint: 'use another board; an unsigned program would leave this one without any',
  });
}

export function flashEncrypted(port: string): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_ENCRYPTED',
    exit: 2,
    what: `the chip on port ${port} encrypts its flash, so plain data written to it would read as noise`,
    measure: untouched,
    hint: 'use another board, or write an encrypted image with the tools of ESP-IDF',
  });
}

export function imageForOtherChip(found: string, wanted: string): TinymlError {
  return new TinymlError({
    code: 'E_IMAGE',
    exit: 2,
    what: `the image was built for the ${found}, not for the ${wanted}`,
    measure: untouched,
    hint: 'build it for this board with tinyml build',
  });
}

export function partMisaligned(address: number, alignment: number): TinymlError {
  return new TinymlError({
    code: 'E_IMAGE',
    exit: 2,
    what: `an image cannot start at ${hex(address)}: flash is erased in units of ${alignment} bytes`,
    measure: untouched,
    hint: `choose a multiple of ${hex(alignment, 4)}`,
  });
}

export function partsOverlap(first: number, second: number): TinymlError {
  return new TinymlError({
    code: 'E_IMAGE',
    exit: 2,
    what: `the images at ${hex(first)} and ${hex(second)} share sectors of the flash`,
    measure: untouched,
  });
}

export function rangeOutside(start: number, length: number, flashBytes: number): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_RANGE',
    exit: 1,
    what: `${length} bytes from ${hex(start)} are not all in this flash of ${flashBytes} bytes`,
    hint: `addresses of an ESP32 flash count from 0 and end at ${hex(flashBytes)}`,
  });
}

export function eraseMisaligned(start: number, length: number, alignment: number): TinymlError {
  return new TinymlError({
    code: 'E_ERASE_RANGE',
    exit: 1,
    what: `${length} bytes from ${hex(start)} cannot be erased: flash is erased in units of ${alignment} bytes`,
    measure: untouched,
    hint: `choose multiples of ${hex(alignment, 4)}`,
  });
}

export function resetSequenceInvalid(text: string, step: string): TinymlError {
  return new TinymlError({
    code: 'E_RESET_SEQUENCE',
    exit: 1,
    what: `reset sequence "${text.slice(0, 80)}" has a step that is none: "${step.slice(0, 20)}"`,
    hint: "write steps like esptool's: D0 D1 (DTR), R0 R1 (RTS), U0,1 (both), W0.1 (seconds), with | between",
  });
}

/** Reasons that the loaders give, in words. */
const reasons = new Map([
  [0x0105, 'invalid message'],
  [0x0106, 'it failed to act'],
  [0x0107, 'wrong checksum'],
  [0x0108, 'writing the flash failed'],
  [0x0109, 'reading the flash failed'],
  [0x010b, 'decompression failed'],
  [0xc400, 'the flash chip does not do it'],
  [0xc500, 'the flash chip stays locked'],
]);

export function loaderRefused(port: string, step: string, reason: number): TinymlError {
  const why = reasons.get(reason) ?? `reason ${hex(reason, 4)}`;
  return new TinymlError({
    code: 'E_FLASH_REFUSED',
    exit: 2,
    what: `the boot loader on port ${port} refuses to ${step}: ${why}`,
    hint: 'the flash may be write-protected, worn out or badly connected; esptool read-flash-status tells more',
  });
}

export function flashDiffers(address: number, length: number): TinymlError {
  return new TinymlError({
    code: 'E_VERIFY_FAILED',
    exit: 2,
    what: `the flash does not hold what was written: ${length} bytes from ${hex(address)} have another MD5`,
    hint: 'the flash may be write-protected or worn out; the board will not start this image',
  });
}

export function eraseIncomplete(address: number, length: number): TinymlError {
  return new TinymlError({
    code: 'E_ERASE_FAILED',
    exit: 2,
    what: `the flash was told to erase ${length} bytes from ${hex(address)}, and they are not erased`,
    hint: 'the flash may be write-protected or worn out',
  });
}
