import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stm32Board } from '../../../boards/load.ts';
import { checkDfuLayout, flashDfu } from '../../../device/dfu/flash-dfu.ts';
import { loadUsb, openUsbPipe, type Usb, type UsbDevice } from '../../../device/dfu/usb-pipe.ts';
import { verifyFailed } from '../../../device/errors.ts';
import { planImage } from '../../../device/stm32-bootloader/image-plan.ts';
import type { Context } from '../../context.ts';
import { temporaryFolder, writeTemporary } from '../../files/temporary.ts';
import type { Progress } from '../../output.ts';
import { toolFailed } from '../../tools/errors.ts';
import { findTool } from '../../tools/find-tool.ts';
import { lastLines, runTool } from '../../tools/run-tool.ts';
import { severalBoardsFound } from '../errors.ts';
import { stm32TargetOf } from '../stm32-target.ts';
import { dfuDeviceMissing, dfuSupportMissing } from './errors.ts';
import type { Flasher, ImageReport } from './flasher.ts';
import { presentDevice } from './usb-presence.ts';

/** STM32 boot loader in DFU mode (AN3156). */
const dfuIds = ['0483:df11'];
const [vendorId, productId] = [0x0483, 0xdf11];
const listSeconds = 20;
const transferSeconds = 240;
const dfuUtil = 'dfu-util';

async function onlyDfuDevice(board: Stm32Board, usb: Usb): Promise<UsbDevice> {
  const found = (await usb.getDevices()).filter(
    (device) => device.vendorId === vendorId && device.productId === productId,
  );
  if (found.length > 1)
    throw severalBoardsFound(
      board.id,
      found.map(({ serialNumber }) => serialNumber ?? '?'),
    );
  const [device] = found;
  if (!device) throw dfuDeviceMissing(board.id);
  return device;
}

async function flashByUsb(
  context: Context,
  board: Stm32Board,
  image: Uint8Array,
  progress: Progress,
  usb: Usb,
): Promise<ImageReport> {
  const pipe = await openUsbPipe(await onlyDfuDevice(board, usb));
  const withdraw = context.lifetime.onEnd(() => pipe.close());
  try {
    return await flashDfu(pipe, image, {
      target: stm32TargetOf(board),
      signal: context.lifetime.signal,
      onProgress: ({ phase, done, total }) =>
        progress(`${phase} ${Math.floor((100 * done) / Math.max(1, total))} %`),
    });
  } finally {
    withdraw();
    await pipe.close();
  }
}

/** Layouts of the flash in what `dfu-util -l` prints. */
const flashLayout = /Found DFU: \[0483:df11\].*alt=0, name="(@Internal Flash[^"]*)"/g;

/** With dfu-util, which says little that can be relied on: what it reads back is compared here. */
async function flashByDfuUtil(
  context: Context,
  board: Stm32Board,
  image: Uint8Array,
  progress: Progress,
): Promise<ImageReport> {
  const target = stm32TargetOf(board);
  const plan = planImage(image, target);
  const folder = temporaryFolder(context.lifetime, 'flash');
  const began = performance.now();
  const run = async (args: readonly string[], timeoutSeconds: number) => {
    context.output.detail(`${dfuUtil} ${args.join(' ')}`);
    const { code, stdout, stderr } = await runTool(
      { tool: dfuUtil, args, purpose: 'flash over USB', timeoutSeconds, cwd: folder },
      context.lifetime,
    );
    const text = `${new TextDecoder().decode(stdout)}\n${stderr}`;
    // Having left DFU mode, the device no longer answers, which dfu-util counts as an error.
    return { text, failed: code !== 0, lines: lastLines(text), code };
  };
  const layouts = [...(await run(['-l', '-d', '0483:df11'], listSeconds)).text.matchAll(flashLayout)];
  if (layouts.length > 1)
    throw severalBoardsFound(
      board.id,
      layouts.map((_, i) => `DFU device ${i + 1}`),
    );
  if (!layouts[0]) throw dfuDeviceMissing(board.id);
  checkDfuLayout(dfuUtil, layouts[0][1]!, target);

  const address = `0x${target.flashAddress.toString(16).padStart(8, '0')}`;
  const device = ['-a', '0', '-d', '0483:df11'];
  writeTemporary(folder, 'firmware.bin', plan.image);
  progress('dfu-util writes');
  const written = await run([...device, '-s', address, '-D', 'firmware.bin'], transferSeconds);
  if (written.failed) throw toolFailed(dfuUtil, `exit code ${written.code}`, written.lines);
  progress('dfu-util reads back');
  const read = await run(
    [...device, '-s', `${address}:${plan.image.length}:leave`, '-U', 'back.bin'],
    transferSeconds,
  );
  const back = readBack(join(folder, 'back.bin'));
  if (back?.length !== plan.image.length) {
    throw toolFailed(
      dfuUtil,
      `${back?.length ?? 0} of ${plan.image.length} bytes were read back`,
      read.lines,
    );
  }
  const at = plan.image.findIndex((byte, i) => byte !== back[i]);
  if (at >= 0) throw verifyFailed(target.flashAddress + at, back[at]!, plan.image[at]!);
  return {
    imageBytes: image.length,
    bytesWritten: plan.image.length,
    bytesKept: 0,
    bytesVerified: plan.image.length,
    elapsedMs: performance.now() - began,
  };
}

function readBack(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

const flash: Flasher['flash'] = async (context, { board }, image, progress) => {
  if (board.family !== 'stm32') throw dfuSupportMissing();
  const usb = await loadUsb();
  if (usb) return flashByUsb(context, board, image, progress, usb);
  if (findTool(dfuUtil) === undefined) throw dfuSupportMissing();
  return flashByDfuUtil(context, board, image, progress);
};

export const usbDfu: Flasher = {
  method: 'usb-dfu',
  needsPort: false,
  flash,
  async whyNot(board) {
    const present = await presentDevice(board, dfuIds, undefined).catch(() => '');
    if (present === undefined) return 'no STM32 in DFU mode is plugged in';
    const able = findTool(dfuUtil) !== undefined || (await loadUsb()) !== undefined;
    return able ? undefined : 'neither the package usb nor dfu-util is installed';
  },
};
