import { TinymlError } from '../../common/tinyml-error.ts';
import { wrongChoice } from '../errors.ts';

export function flashMethodMissing(board: string, ways: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_METHOD',
    exit: 1,
    what: `tinyml cannot do that to ${board} itself`,
    measure: ways,
    hint: 'tinyml build writes firmware.bin and firmware.hex for other tools; then give --port to measure',
  });
}

export function badFlashMethod(board: string, method: string, methods: readonly string[]): TinymlError {
  return wrongChoice(`the way to flash ${board}`, method, methods);
}

/** `ways` say of each way why it cannot be taken. */
export function noWayToFlash(board: string, ways: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_NO_BOARD',
    exit: 2,
    what: `there is no way to flash ${board} now`,
    measure: ways,
    hint: 'plug the board in, or name its port with --port; tinyml ports lists what is there',
  });
}

export function noBoardFound(board: string, reach: string): TinymlError {
  return new TinymlError({
    code: 'E_NO_BOARD',
    exit: 2,
    what: `no port looks like a ${board}`,
    measure: `its serial port: ${reach}`,
    hint: 'plug it in, or name the port with --port; tinyml ports lists them',
  });
}

export function severalBoardsFound(board: string, ports: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_SEVERAL_BOARDS',
    exit: 1,
    what: `several ports look like a ${board}`,
    measure: `ports: ${ports.join(', ')}`,
    hint: `choose one, for example --port ${ports[0]}`,
  });
}

/** `note` is the emulator's own word. */
export function emulatorStopped(board: string, note: string, missed: string): TinymlError {
  return new TinymlError({
    code: 'E_EMULATOR_STOPPED',
    exit: 2,
    what: `${board}: ${note}`,
    measure: missed,
    hint: `tinyml doctor --board ${board} checks the emulator; what a program did before is told with --verbose`,
  });
}
