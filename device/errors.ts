import { TinymlError } from '../common/tinyml-error.ts';

const hex = (value: number, digits = 8): string => `0x${value.toString(16).padStart(digits, '0')}`;

/** Printable part of bytes that came from a board, short enough for one line of a message. */
export function excerpt(bytes: Uint8Array): string {
  const text = Array.from(bytes.subarray(0, 64), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
  ).join('');
  return bytes.length > 64 ? `"${text}" and more` : `"${text}"`;
}

// Ports

export function portUrlInvalid(port: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_PORT_URL',
    exit: 1,
    what: `port "${port.slice(0, 80)}" cannot be used: ${why}`,
    hint: 'write /dev/ttyACM0, COM5, VID:PID, VID:PID:SERIAL, tcp://host:port or rfc2217://host:port',
  });
}

/** No port has the USB ids that the user gave as its name. */
export function portIdsNotFound(port: string): TinymlError {
  return new TinymlError({
    code: 'E_PORT_NOT_FOUND',
    exit: 2,
    what: `no serial port has the USB ids ${port}`,
    hint: 'tinyml ports lists what is connected, with its ids; tinyml doctor finds out why a board is missing',
  });
}

export function severalPortsMatch(port: string, matches: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_SEVERAL_PORTS',
    exit: 1,
    what: `several serial ports have the USB ids ${port}`,
    measure: matches,
    hint: 'name one of them, or add the serial number: VID:PID:SERIAL',
  });
}

/** It vanished and was waited for. */
export function deviceStaysAway(port: string, waitedMs: number, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_DEVICE_LOST',
    exit: 2,
    what: `device lost: port ${port} vanished and did not come back`,
    measure: `waited ${(waitedMs / 1000).toFixed(1)} s; last: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'plug the board in again and repeat the command; tinyml ports shows under which name it is now',
    cause,
  });
}

export function portNotFound(port: string): TinymlError {
  return new TinymlError({
    code: 'E_PORT_NOT_FOUND',
    exit: 2,
    what: `port ${port} does not exist`,
    hint: 'tinyml ports lists what is connected; check the cable (a charge-only USB cable shows no port)',
  });
}

export function portUnreachable(port: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_PORT_UNREACHABLE',
    exit: 2,
    what: `port ${port} does not answer: ${why}`,
    hint: 'check that the server on the other side runs and that host and port number are right',
  });
}

export function portBusy(port: string, holder: string): TinymlError {
  return new TinymlError({
    code: 'E_PORT_BUSY',
    exit: 2,
    what: `port ${port} is busy: ${holder}`,
    hint: 'close the other program (a serial monitor, an IDE, another tinyml) and try again',
  });
}

/** `group` is whose members may open it, where the system tells. */
export function portPermission(port: string, group?: string): TinymlError {
  const join = group === undefined ? 'tinyml doctor says what to do' : `sudo usermod -aG ${group} "$USER"`;
  return new TinymlError({
    code: 'E_PORT_PERMISSION',
    exit: 2,
    what: `port ${port} may not be opened by this user`,
    ...(group === undefined ? {} : { measure: `group ${group} may open it` }),
    hint: group === undefined ? join : `${join}, then log in again`,
  });
}

export function portFailed(port: string, why: string, cause?: unknown): TinymlError {
  return new TinymlError({ code: 'E_PORT', exit: 2, what: `port ${port}: ${why}`, cause });
}

/** A process of another user left it, or holds it where this user cannot see. */
export function lockLeftBehind(port: string, file: string): TinymlError {
  return new TinymlError({
    code: 'E_PORT',
    exit: 2,
    what: `port ${port}: the lock file ${file} was left behind by a process of another user`,
    hint: `sudo rm ${file}`,
  });
}

export function serialSupportMissing(port: string, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_SERIALPORT_MISSING',
    exit: 2,
    what: `port ${port} needs the package "serialport", which could not be loaded`,
    hint: 'reinstall tinyml on this machine, or use an rfc2217:// or tcp:// port, which need no native code',
    cause,
  });
}

export function notRfc2217(port: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_RFC2217',
    exit: 2,
    what: `port ${port} is open, but the other side does not speak RFC 2217`,
    hint: 'for a plain socket write tcp:// instead of rfc2217:// (it has no reset lines)',
  });
}

export function deviceLost(port: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_DEVICE_LOST',
    exit: 2,
    what: `device lost: port ${port} ${why}`,
    hint: 'plug the board in again and repeat the command; flashing goes on where it stopped',
  });
}

// Boot loader

export function bootloaderSilent(port: string, signals: boolean, heard: Uint8Array): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_SILENT',
    exit: 2,
    what: `no boot loader answers on port ${port}`,
    measure: heard.length === 0 ? 'nothing was received' : `received instead, at the end: ${excerpt(heard)}`,
    hint: signals
      ? 'check that RTS drives BOOT0 and DTR drives NRST (docs/devices.md), or hold BOOT0 high and press reset'
      : 'this port has no reset lines: hold BOOT0 high, press reset, and try again',
  });
}

export function wrongChip(port: string, found: number, wanted: number): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_CHIP',
    exit: 2,
    what: `the chip on port ${port} has id ${hex(found, 3)}, but the board description says ${hex(wanted, 3)}`,
    measure: 'nothing was erased',
    hint: 'choose the right --board or the right --port',
  });
}

export function readProtected(port: string): TinymlError {
  return new TinymlError({
    code: 'E_READ_PROTECTED',
    exit: 2,
    what: `the chip on port ${port} is read-protected, so it can neither be written nor verified`,
    measure: 'nothing was erased',
    hint: 'removing the protection erases the whole chip; if that is wanted, run: stm32flash -k PORT',
  });
}

export function imageTooLarge(bytes: number, room: number): TinymlError {
  return new TinymlError({
    code: 'E_IMAGE_TOO_LARGE',
    exit: 2,
    what: `the image has ${bytes} bytes, the flash has room for ${room}`,
    measure: `${bytes - room} bytes too many; nothing was erased`,
    hint: 'use a smaller model, --optimize size, or a board with more flash',
  });
}

export function imageRefused(why: string): TinymlError {
  return new TinymlError({
    code: 'E_IMAGE',
    exit: 2,
    what: `the image cannot be flashed: ${why}`,
    measure: 'nothing was erased',
    hint: 'build it again for this board with tinyml build',
  });
}

export function bootloaderTooOld(port: string, missing: string): TinymlError {
  return new TinymlError({
    code: 'E_BOOTLOADER',
    exit: 2,
    what: `the boot loader on port ${port} has no command to ${missing}`,
    measure: 'nothing was erased',
  });
}

export function flashRefused(port: string, step: string): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_REFUSED',
    exit: 2,
    what: `the boot loader on port ${port} refuses to ${step}`,
    hint: 'the sector may be write-protected: stm32flash -u PORT removes that',
  });
}

export function flashLinkBad(port: string, step: string, retries: number): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_LINK',
    exit: 2,
    what: `too many errors on port ${port} while trying to ${step}`,
    measure: `${retries} retries so far`,
    hint: 'use a shorter cable, a common ground, a lower baud rate; then repeat: it goes on where it stopped',
  });
}

export function boardStopped(port: string, step: string): TinymlError {
  return new TinymlError({
    code: 'E_DEVICE_LOST',
    exit: 2,
    what: `device lost: the board on port ${port} stopped answering while trying to ${step}`,
    hint: 'check its power and cable and repeat the command; flashing goes on where it stopped',
  });
}

export function verifyFailed(address: number, found: number, wanted: number): TinymlError {
  return new TinymlError({
    code: 'E_VERIFY_FAILED',
    exit: 2,
    what: `the flash does not hold what was written: at ${hex(address)} it reads ${hex(found, 2)}, not ${hex(wanted, 2)}`,
    hint: 'the sector may be write-protected or worn out; the board will not start this image',
  });
}

/** `ends` are the addresses at which a range may begin or end. */
export function eraseRangeRefused(why: string, ends: readonly number[]): TinymlError {
  return new TinymlError({
    code: 'E_ERASE_RANGE',
    exit: 1,
    what: `that range of flash cannot be erased: ${why}`,
    measure: ['nothing was erased', `sectors begin and end at ${ends.map((end) => hex(end)).join(' ')}`],
    hint: 'whole sectors only: choose --address and --bytes from these',
  });
}

export function eraseFailed(address: number, found: number): TinymlError {
  return new TinymlError({
    code: 'E_ERASE_FAILED',
    exit: 2,
    what: `the flash is not erased: at ${hex(address)} it reads ${hex(found, 2)}`,
    hint: 'the sector may be write-protected: stm32flash -u PORT removes that',
  });
}

// USB DFU

export function usbUnavailable(device: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_USB',
    exit: 2,
    what: `${device} cannot be used: ${why}`,
    hint: 'on Linux a udev rule has to let users write to 0483:df11; on Windows it needs the WinUSB driver (Zadig)',
  });
}

export function memoryLayoutUnreadable(device: string, text: string): TinymlError {
  return new TinymlError({
    code: 'E_DFU_LAYOUT',
    exit: 2,
    what: `${device} does not describe its memory as an STM32 does: ${JSON.stringify(text.slice(0, 80))}`,
    measure: 'nothing was erased',
    hint: 'another DFU device may be plugged in; unplug it',
  });
}

export function wrongMemory(device: string, layout: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_CHIP',
    exit: 2,
    what: `the flash of ${device} is not that of the board's chip: ${JSON.stringify(layout.slice(0, 120))}`,
    measure: 'nothing was erased',
    hint: 'choose the right --board',
  });
}

export function flashLocked(device: string, address: number): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_LOCKED',
    exit: 2,
    what: `${device} does not let anyone write its flash at ${hex(address)}`,
    measure: 'nothing was erased',
    hint: 'the sector is write-protected by an option byte; STM32CubeProgrammer or openocd removes that',
  });
}

export function dfuReadProtected(device: string): TinymlError {
  return new TinymlError({
    code: 'E_READ_PROTECTED',
    exit: 2,
    what: `the chip behind ${device} is read-protected, so it can neither be written nor verified`,
    hint: 'removing that erases the whole chip; if wanted, run: dfu-util -a 0 -s 0x08000000:unprotect:force -D FILE',
  });
}

export function dfuRefused(device: string, step: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_REFUSED',
    exit: 2,
    what: `${device} refuses to ${step}: ${why}`,
    hint: 'reset the board into its boot loader and repeat the command; it goes on where it stopped',
  });
}

export function dfuStuck(device: string, step: string): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_TIMEOUT',
    exit: 2,
    what: `${device} does not finish to ${step}`,
    hint: 'reset the board into its boot loader and repeat the command; it goes on where it stopped',
  });
}

// Benchmark protocol

export function boardSilent(port: string): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_SILENT',
    exit: 2,
    what: `the board on port ${port} says nothing`,
    hint: 'check power, the port and its baud rate, press reset; tinyml flash writes the benchmark firmware',
  });
}

export function wrongFirmware(
  port: string,
  what: string,
  hint = 'tinyml flash writes the right one',
): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_FIRMWARE',
    exit: 2,
    what: `the board on port ${port} does not run the benchmark firmware of this tinyml: ${what}`,
    hint,
  });
}

export function wrongModel(found: string, wanted: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_MODEL',
    exit: 2,
    what: `the board holds another model (${found}) than this one (${wanted})`,
    hint: 'flash it again with tinyml flash',
  });
}

export function boardCrashed(port: string, cause: string, registers: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_CRASHED',
    exit: 2,
    what: `the firmware on port ${port} crashed: ${cause}`,
    measure: registers,
    hint: 'arm-none-eabi-addr2line -e firmware.elf with the pc above names the source line',
  });
}

export function boardRestarted(port: string, step: string): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_RESTARTED',
    exit: 2,
    what: `the board on port ${port} restarted by itself while it should ${step}`,
    measure: 'the measurement is incomplete and was thrown away',
    hint: 'look for a watchdog, a weak supply or a stack overflow',
  });
}

export function boardStuck(port: string, step: string, waitedMs: number): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_TIMEOUT',
    exit: 2,
    what: `the board on port ${port} did not ${step}`,
    measure: `waited ${(waitedMs / 1000).toFixed(1)} s`,
    hint: 'press reset and try again; a model that needs longer wants a larger time-out',
  });
}

export function requestRefused(port: string, step: string, reason: string): TinymlError {
  return new TinymlError({
    code: 'E_REQUEST_REFUSED',
    exit: 2,
    what: `the firmware on port ${port} refuses to ${step}: ${reason}`,
  });
}

export function badAnswer(port: string, step: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_BAD_ANSWER',
    exit: 2,
    what: `the firmware on port ${port} was asked to ${step} and answered nonsense: ${why}`,
    hint: 'flash the benchmark firmware again',
  });
}

export function badTimer(port: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_BAD_TIMER',
    exit: 2,
    what: `the times that the board on port ${port} reports cannot be right: ${why}`,
    measure: 'no figure was kept',
    hint: 'check the clock of the board description against the crystal on the board',
  });
}

export function inputSizeWrong(index: number, found: number, wanted: number | undefined): TinymlError {
  return new TinymlError({
    code: 'E_INPUT_SIZE',
    exit: 1,
    what:
      wanted === undefined
        ? `the model on the board has no input ${index}`
        : `input ${index} of the model on the board has ${wanted} bytes, not ${found}`,
  });
}

// Firmata

export function firmataSilent(port: string, heard: string | undefined): TinymlError {
  return new TinymlError({
    code: 'E_FIRMATA_SILENT',
    exit: 2,
    what: `the board on port ${port} does not speak Firmata`,
    measure: heard === undefined ? 'nothing was received' : `received instead, at the end: ${heard}`,
    hint: 'upload the sketch StandardFirmata (Arduino IDE: File, Examples, Firmata); its baud rate is 57600',
  });
}

export function firmataChannelMissing(port: string, channel: number, known: readonly number[]): TinymlError {
  return new TinymlError({
    code: 'E_FIRMATA_CHANNEL',
    exit: 1,
    what: `the board on port ${port} has no analog input ${channel}`,
    measure: `its analog inputs: ${known.length > 0 ? known.join(', ') : 'none'}`,
  });
}

export function firmataRateRefused(rateHz: number): TinymlError {
  return new TinymlError({
    code: 'E_FIRMATA_RATE',
    exit: 1,
    what: `Firmata cannot sample ${rateHz} times a second`,
    measure: 'its interval is a whole number of milliseconds from 1 to 16383',
    hint: 'for higher rates use the recorder firmware of a board that tinyml builds for',
  });
}

// Virtual boards

export function qemuMissing(binary: string): TinymlError {
  return new TinymlError({
    code: 'E_QEMU_MISSING',
    exit: 2,
    what: `the virtual board needs ${binary}, which is not installed`,
    hint: 'tinyml doctor --fix installs it, or names the command that does',
  });
}

export function socatMissing(): TinymlError {
  return new TinymlError({
    code: 'E_SOCAT_MISSING',
    exit: 2,
    what: 'a pty for the virtual board needs socat, which is not installed',
    hint: 'install socat, or use the rfc2217:// or tcp:// port of the virtual board',
  });
}

export function ptyFailed(why: string): TinymlError {
  return new TinymlError({ code: 'E_PTY', exit: 2, what: `socat could not make a pty: ${why}` });
}

export function flashFileRefused(file: string, why: string): TinymlError {
  const isFull = why === 'ENOSPC' || why === 'EDQUOT';
  return new TinymlError({
    code: 'E_FLASH_FILE',
    exit: 1,
    what: `flash file ${file} cannot be used: ${isFull ? 'no space left on the device' : why}`,
    hint: isFull
      ? 'make room there; TMPDIR says where temporary files go'
      : 'name a file that may be written; a new one is made when it does not exist',
  });
}

export function listenFailed(port: number, why: string): TinymlError {
  return new TinymlError({
    code: 'E_LISTEN',
    exit: 2,
    what: `the virtual board cannot listen on port ${port}: ${why}`,
    hint: 'choose another port number, or 0 for any free one',
  });
}
