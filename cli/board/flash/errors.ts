import { TinymlError } from '../../../common/tinyml-error.ts';
import { toolFailed } from '../../tools/errors.ts';

export function probeToolMissing(): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_MISSING',
    exit: 2,
    what: 'openocd or st-flash is needed to flash through ST-LINK, and neither is installed',
    hint: 'on Debian or Ubuntu: sudo apt install openocd',
  });
}

export function probeSilent(tool: string, who: 'probe' | 'chip', lines: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_BOARD_SILENT',
    exit: 2,
    what:
      who === 'probe'
        ? `${tool} finds no ST-LINK that it may use`
        : `${tool} reaches the ST-LINK, but no chip behind it`,
    measure: lines,
    hint:
      who === 'probe'
        ? 'plug it in with a cable that carries data; on Linux a udev rule has to let users use it'
        : 'check the supply and the jumpers that connect the probe to the chip; hold reset and try again',
  });
}

export function probeWrongChip(tool: string, found: number, wanted: number): TinymlError {
  const hex = (value: number) => `0x${value.toString(16).padStart(3, '0')}`;
  return new TinymlError({
    code: 'E_WRONG_CHIP',
    exit: 2,
    what: `${tool} finds a chip with id ${hex(found)}, but the board description says ${hex(wanted)}`,
    measure: 'nothing was erased',
    hint: 'choose the right --board',
  });
}

export function probeFailed(
  tool: string,
  how: string,
  lines: readonly string[],
  isProtected: boolean,
): TinymlError {
  if (isProtected)
    return new TinymlError({
      code: 'E_READ_PROTECTED',
      exit: 2,
      what: `${tool} cannot write the chip (${how}): its flash is protected`,
      measure: lines,
      hint: 'removing read protection erases the whole chip; STM32CubeProgrammer or openocd does it',
    });
  return toolFailed(tool, how, lines);
}

export function dfuSupportMissing(): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_MISSING',
    exit: 2,
    what: 'flashing over USB needs the package usb or the program dfu-util, and neither is installed',
    hint: 'npm install usb (beside tinyml), or on Debian and Ubuntu: sudo apt install dfu-util',
  });
}

export function dfuDeviceMissing(board: string): TinymlError {
  return new TinymlError({
    code: 'E_NO_BOARD',
    exit: 2,
    what: `no STM32 in DFU mode is plugged in, so ${board} cannot be flashed over USB`,
    hint: 'hold BOOT0 while reset is released (tinyml boards show ID says how on this board)',
  });
}

export function driveMissing(board: string, names: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_NO_BOARD',
    exit: 2,
    what: `no drive of ${board} is mounted`,
    measure: `names it may have: ${names.join(', ')}`,
    hint: 'plug the board in and mount its drive (a desktop does so by itself; else: udisksctl mount -b /dev/sdX)',
  });
}

export function driveFailed(drive: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_DRIVE',
    exit: 2,
    what: `the drive ${drive} could not be written: ${why}`,
    hint: 'unplug the board, plug it in again and repeat the command; --method st-link goes another way',
  });
}

export function driveRefused(drive: string, said: string): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_REFUSED',
    exit: 2,
    what: `the debug probe behind ${drive} could not write the chip`,
    measure: `FAIL.TXT: ${said}`,
    hint: 'the chip may be protected or held in reset; --method st-link says more',
  });
}

/** `said` is what the chip's ROM would say of it. */
export function imageNotAsBuilt(board: string, said: string): TinymlError {
  return new TinymlError({
    code: 'E_IMAGE',
    exit: 2,
    what: `the image for ${board} is not as it was built: ${said.replace(/:$/, '')}`,
    measure: 'nothing was erased',
    hint: 'build it again: tinyml build DIR --board ID',
  });
}
