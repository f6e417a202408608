import { nearest } from '../common/nearest.ts';
import { TinymlError } from '../common/tinyml-error.ts';

/** "hint" line for a wrong choice: the nearest match, or nothing. */
function didYouMean(name: string, choices: readonly string[]): string | undefined {
  const match = nearest(name, choices);
  return match === undefined ? undefined : `did you mean ${match}?`;
}

const quoted = (text: string) => JSON.stringify(text);

export function unknownCommand(name: string, commands: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_UNKNOWN_COMMAND',
    exit: 1,
    what: `there is no command ${quoted(name.slice(0, 80))}`,
    measure: `commands: ${commands.join(', ')}`,
    hint: didYouMean(name, commands) ?? 'tinyml --help describes them',
  });
}

/** Anything else that is wrong with the words of a command line; `what` is commander's, cleaned. */
export function badUsage(command: string, what: string, hint?: string): TinymlError {
  return new TinymlError({
    code: 'E_USAGE',
    exit: 1,
    what: `${command}: ${what}`,
    hint: hint ?? `tinyml ${command} --help shows how it is used`,
  });
}

export function unknownOption(command: string, flag: string, flags: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_UNKNOWN_OPTION',
    exit: 1,
    what: `${command}: there is no option ${flag.slice(0, 80)}`,
    measure: `options: ${flags.join(' ')}`,
    hint: didYouMean(flag, flags) ?? `tinyml ${command} --help describes them`,
  });
}

/** A value that must be one of a few. */
export function wrongChoice(what: string, value: string, choices: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_CHOICE',
    exit: 1,
    what: `${what} is ${quoted(value.slice(0, 80))}, which is not one of the choices`,
    measure: `choices: ${choices.join(', ')}`,
    ...hintOf(didYouMean(value, choices)),
  });
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

export function badValue(what: string, value: string, expected: string): TinymlError {
  return new TinymlError({
    code: 'E_BAD_VALUE',
    exit: 1,
    what: `${what} is ${quoted(value.slice(0, 80))}`,
    measure: `expected: ${expected}`,
  });
}

export function badConfig(path: string, what: string, hint?: string): TinymlError {
  return new TinymlError({ code: 'E_CONFIG', exit: 1, what: `${path}: ${what}`, ...hintOf(hint) });
}

export function unknownConfigKey(path: string, key: string, keys: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_CONFIG',
    exit: 1,
    what: `${path}: there is no setting ${quoted(key.slice(0, 80))}`,
    measure: `settings: ${keys.join(', ')}`,
    ...hintOf(didYouMean(key, keys)),
  });
}

export function fileMissing(path: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_FILE_MISSING',
    exit: 1,
    what: `${path}: no such ${what}`,
    hint: 'check the path; a relative one starts at the current folder',
  });
}

/** `is` names what stands there instead of a plain file ("a folder", "a named pipe"). */
export function notAFile(path: string, is: string, expected: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_A_FILE',
    exit: 1,
    what: `${path}: is ${is}, expected ${expected}`,
  });
}

export function fileUnreadable(path: string, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_FILE_UNREADABLE',
    exit: 1,
    what: `${path}: cannot be read (${systemReason(cause)})`,
    cause,
  });
}

export function fileTooBig(path: string, bytes: number, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_FILE_TOO_BIG',
    exit: 1,
    what: `${path}: is too big`,
    measure: `${bytes} bytes, the limit is ${limit}`,
  });
}

/** The file's content is of another kind than its use asks for. */
export function wrongKind(path: string, is: string, expected: string, hint?: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_KIND',
    exit: 1,
    what: `${path}: is ${is}, expected ${expected}`,
    ...hintOf(hint),
  });
}

export function externalPathRefused(model: string, location: string, reason: string): TinymlError {
  return new TinymlError({
    code: 'E_EXTERNAL_PATH',
    exit: 1,
    what: `${model}: external data ${quoted(location.slice(0, 200))} is refused: ${reason}`,
    hint: "weights may only be read from plain files in the model's own folder",
  });
}

export function outputFailed(path: string, cause: unknown): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT',
    exit: 1,
    what: `${path}: cannot be written (${systemReason(cause)})`,
    hint: 'nothing was changed; check the folder, its permissions and the free space',
    cause,
  });
}

export function outputIsInput(path: string): TinymlError {
  return new TinymlError({
    code: 'E_OUTPUT_IS_INPUT',
    exit: 1,
    what: `${path}: is an input of this command and would be overwritten`,
    hint: 'choose another place with -o',
  });
}

export function outputNotPlain(path: string, is: string): TinymlError {
  return new TinymlError({ code: 'E_OUTPUT', exit: 1, what: `${path}: cannot be written, it is ${is}` });
}

export function toolMissing(tool: string, purpose: string): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_MISSING',
    exit: 2,
    what: `${tool} is not installed; it is needed to ${purpose}`,
    hint: 'tinyml doctor --fix installs it or prints the command that does',
  });
}

/** `lines` are the tool's own last words. */
export function toolFailed(tool: string, how: string, lines: readonly string[]): TinymlError {
  return new TinymlError({ code: 'E_TOOL_FAILED', exit: 2, what: `${tool} failed (${how})`, measure: lines });
}

export function toolTimeout(tool: string, seconds: number): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_TIMEOUT',
    exit: 2,
    what: `${tool} did not end within ${seconds} s and was stopped`,
    hint: 'tinyml doctor checks that the tool works at all',
  });
}

export function toolNoOutput(tool: string, expected: string): TinymlError {
  return new TinymlError({
    code: 'E_TOOL_FAILED',
    exit: 2,
    what: `${tool} reported success but did not make ${expected}`,
    hint: 'tinyml doctor shows which program answers to that name',
  });
}

/** The errno of a system error in words, without its path. */
function systemReason(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  const known = new Map([
    ['ENOSPC', 'no space left on the device'],
    ['EDQUOT', 'disk quota used up'],
    ['EACCES', 'permission denied'],
    ['EPERM', 'not permitted'],
    ['EROFS', 'the file system is read-only'],
    ['EIO', 'input/output error'],
    ['ENOTDIR', 'a part of the path is not a folder'],
    ['ENAMETOOLONG', 'the name is too long'],
    ['ENOENT', 'no such file or folder'],
    ['EISDIR', 'it is a folder'],
    ['ELOOP', 'too many symbolic links'],
    ['EMFILE', 'too many open files'],
    ['EBUSY', 'it is in use'],
  ]);
  if (typeof code === 'string') return known.get(code) ?? code;
  return cause instanceof Error ? cause.message : String(cause);
}

export function tooManyFiles(folder: string, limit: number): TinymlError {
  return new TinymlError({
    code: 'E_DATA_FILES',
    exit: 1,
    what: `${folder}: holds more than ${limit} samples`,
    hint: 'take a selection; a few hundred are enough for calibration',
  });
}

export function engineNeedsFloat(model: string): TinymlError {
  return new TinymlError({
    code: 'E_ENGINE',
    exit: 1,
    what: `${model}: is quantized already, so there is no float graph to run`,
    hint: 'use --engine int8, c or board',
  });
}

export function engineNeedsIntegers(model: string): TinymlError {
  return new TinymlError({
    code: 'E_ENGINE',
    exit: 1,
    what: `${model}: --engine int8 runs integers, and --quantize float leaves none`,
    hint: 'use --engine float or c, or --quantize int8 or int16x8',
  });
}

export function notModelFolder(path: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_CONVERTED',
    exit: 1,
    what: `${path}: is not a folder that tinyml convert wrote (it has no report.json)`,
    hint: 'tinyml convert MODEL --calib DATA -o DIR makes one',
  });
}

export function damagedFolder(path: string, what: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_CONVERTED',
    exit: 1,
    what: `${path}: ${what}`,
    hint: 'convert the model again: tinyml convert MODEL --calib DATA -o DIR',
  });
}

/** A required option that neither the command line nor a setting gives. */
export function missingOption(command: string, flags: string): TinymlError {
  return new TinymlError({
    code: 'E_USAGE',
    exit: 1,
    what: `${command}: ${flags} is missing`,
    hint: `tinyml ${command} --help shows how it is used`,
  });
}

/** Bytes over in flash and RAM, known before or after building. */
export function modelTooBig(
  board: string,
  over: { readonly flash: number; readonly ram: number },
): TinymlError {
  const measure = [
    ...(over.flash > 0 ? [`flash: at least ${over.flash} bytes over`] : []),
    ...(over.ram > 0 ? [`RAM: at least ${over.ram} bytes over`] : []),
  ];
  return new TinymlError({
    code: 'E_MODEL_TOO_BIG',
    exit: 3,
    what: `the model does not fit board ${board}`,
    measure,
    hint: 'take a smaller model, --optimize size, or a larger board: tinyml inspect MODEL lists those it fits',
  });
}

export function engineNotBuilt(path: string, engine: string): TinymlError {
  return new TinymlError({
    code: 'E_ENGINE',
    exit: 1,
    what: `${path}: was converted with --engine ${engine}, whose files go into a project of your own`,
    hint: 'convert it with --engine aot to have tinyml build, flash and measure it',
  });
}

export function notAnEsp(board: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_ESP',
    exit: 1,
    what: `${board}: ESP-IDF builds for chips of Espressif, and this board has another`,
    hint: 'tinyml boards lists the boards; leave out --project to build for this one',
  });
}

export function flashMethodMissing(board: string, ways: readonly string[]): TinymlError {
  return new TinymlError({
    code: 'E_FLASH_METHOD',
    exit: 1,
    what: `tinyml cannot do that to ${board} itself`,
    measure: ways,
    hint: 'tinyml build writes firmware.bin and firmware.hex for other tools; then give --port to measure',
  });
}

/** The board runs, but not the firmware that takes samples. */
export function recorderMissing(board: string): TinymlError {
  return new TinymlError({
    code: 'E_WRONG_FIRMWARE',
    exit: 2,
    what: `${board} runs firmware that takes no samples`,
    hint: '--flash writes the firmware that does, in place of what is there',
  });
}

/** `what` is what would have been done. */
export function notConfirmed(what: string, why: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_CONFIRMED',
    exit: 1,
    what: `did not ${what}: ${why}`,
    measure: 'nothing was changed',
    hint: '--yes answers beforehand',
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

export function cyclesNotModelled(board: string): TinymlError {
  return new TinymlError({
    code: 'E_CYCLES_NOT_MODELLED',
    exit: 1,
    what: `cycles are modelled from what an emulated Cortex-M4 executes; ${board} is no such board`,
    hint: 'use --board virtual-stm32f405; a real board measures its own cycles without --cycles',
  });
}

export function traceIncomplete(board: string): TinymlError {
  return new TinymlError({
    code: 'E_TRACE',
    exit: 2,
    what: `the log of what ${board} executed shows no inference, so no cycles can be modelled`,
    hint: 'QEMU must be built with its disassembler (Debian and Ubuntu packages are)',
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

export function badBoardsAction(action: string): TinymlError {
  const actions = ['list', 'show', 'run'];
  return wrongChoice('the action of boards', action, actions);
}

export function analyzeNeedsFloat(model: string): TinymlError {
  return new TinymlError({
    code: 'E_ANALYZE',
    exit: 1,
    what: `${model}: is quantized already, so there is nothing to choose`,
    hint: 'give the float model that it was made from',
  });
}

/** `path` is the data file without labels; undefined where none was given at all. */
export function labelsNeeded(path: string | undefined): TinymlError {
  return new TinymlError({
    code: 'E_LABELS_NEEDED',
    exit: 1,
    what:
      path === undefined
        ? 'points lost can only be limited where there are labels to count them'
        : `${path}: has no labels (an array "y")`,
    hint: 'give labelled samples with --data: arrays "x" and "y", or a folder with one subfolder a class',
  });
}

export function notCounted(board: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_COUNTED',
    exit: 1,
    what: `board ${board} has no exact count of instructions`,
    hint: 'pass --board with an emulated board, or --target macs=SHARE',
  });
}

export function exportNeedsFloat(): TinymlError {
  return new TinymlError({
    code: 'E_EXPORT',
    exit: 1,
    what: '--to onnx writes a float model, and this one is quantized already',
    hint: 'use --to onnx-qdq or --to tflite',
  });
}

export function exportNeedsQuantized(): TinymlError {
  return new TinymlError({
    code: 'E_EXPORT',
    exit: 1,
    what: '--to onnx-qdq writes a quantized model, and --quantize float leaves it in float',
    hint: 'give --calib and leave --quantize float out, or use --to onnx',
  });
}

export function trainingDataNeeded(option: string): TinymlError {
  return new TinymlError({
    code: 'E_TRAINING_DATA_NEEDED',
    exit: 1,
    what: `${option} trains the model, and there are no data to train on`,
    hint: 'pass --train train.npz with samples x and labels y, other ones than those you evaluate on',
  });
}
