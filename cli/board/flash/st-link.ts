import { planImage } from '../../../device/stm32-bootloader/image-plan.ts';
import { temporaryFolder, writeTemporary } from '../../files/temporary.ts';
import { findTool } from '../../tools/find-tool.ts';
import { lastLines, runTool, type ToolResult } from '../../tools/run-tool.ts';
import { stm32TargetOf } from '../stm32-target.ts';
import { probeFailed, probeSilent, probeToolMissing, probeWrongChip } from './errors.ts';
import type { Flasher } from './flasher.ts';
import { openocd } from './openocd.ts';
import type { ProbeProgram, RunProgram } from './probe-program.ts';
import { stFlash } from './st-flash.ts';
import { onlyDevice, presentDevice } from './usb-presence.ts';

/** ST-LINK/V1 to STLINK-V3 and their variants with and without a drive (openocd's interface/stlink.cfg). */
export const probeIds: readonly string[] = [
  ...['3744', '3748', '374b', '374d', '374e', '374f', '3752', '3753', '3754', '3755', '3757'],
].map((product) => `0483:${product}`);

const programs: readonly ProbeProgram[] = [openocd, stFlash];

function installed(): ProbeProgram | undefined {
  return programs.find(({ tool }) => findTool(tool) !== undefined);
}

const textOf = ({ stdout, stderr }: ToolResult) => `${stderr}\n${new TextDecoder().decode(stdout)}`;

const noProbe =
  /open failed|no device found|couldn't find any st-?link|LIBUSB_ERROR|unable to (?:match|find)/i;
const noChip =
  /target voltage may be too low|unable to connect to the target|init mode failed|unknown chip id/i;
const isProtected = /read.?(?:out)? ?protect|protected|RDP/i;

/** What the words of such a program mean; `known` is undefined where they mean nothing in particular. */
function troubleOf(tool: string, text: string, code: number) {
  const lines = lastLines(text);
  if (noProbe.test(text)) return probeSilent(tool, 'probe', lines);
  if (noChip.test(text)) return probeSilent(tool, 'chip', lines);
  const how = code === 0 ? 'exit code 0, but it reports an error' : `exit code ${code}`;
  return probeFailed(tool, how, lines, isProtected.test(text));
}

const flash: Flasher['flash'] = async (context, { board, port }, image, progress) => {
  if (board.family !== 'stm32') throw probeToolMissing();
  planImage(image, stm32TargetOf(board));
  const program = installed();
  if (!program) throw probeToolMissing();
  const serial = await onlyDevice(board, probeIds, port);
  const folder = temporaryFolder(context.lifetime, 'flash');
  writeTemporary(folder, 'firmware.bin', image);
  const run: RunProgram = async (tool, args, timeoutSeconds) => {
    context.output.detail(`${tool} ${args.join(' ')}`);
    const result = await runTool(
      { tool, args, purpose: 'flash through ST-LINK', timeoutSeconds, cwd: folder },
      context.lifetime,
    );
    const text = textOf(result);
    if (result.code !== 0 || /^\s*error\s*:/im.test(text)) throw troubleOf(tool, text, result.code);
    return text;
  };
  const began = performance.now();
  progress(`${program.tool} looks at the chip`);
  const found = await program.look(run, { board, serial });
  if (found.chipId !== undefined && found.chipId !== board.chip.bootloader.chipId) {
    throw probeWrongChip(program.tool, found.chipId, board.chip.bootloader.chipId);
  }
  progress(`${program.tool} writes and verifies`);
  const said = await program.write(run, { board, serial: found.serial ?? serial });
  if (!program.proof.test(said)) {
    throw probeFailed(program.tool, 'it does not say that it verified', lastLines(said), false);
  }
  return {
    imageBytes: image.length,
    bytesWritten: image.length,
    bytesKept: 0,
    bytesVerified: image.length,
    elapsedMs: performance.now() - began,
  };
};

export const stLink: Flasher = {
  method: 'st-link',
  needsPort: false,
  flash,
  async whyNot(board) {
    if (!installed()) return 'neither openocd nor st-flash is installed';
    // Of several the port chooses one, or they are listed when it comes to it.
    const present = await presentDevice(board, probeIds, undefined).catch(() => '');
    return present === undefined ? 'no ST-LINK is plugged in' : undefined;
  },
};
