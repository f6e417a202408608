import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Board, Stm32Board } from '../../../boards/load.ts';
import { planImage } from '../../../device/stm32-bootloader/image-plan.ts';
import { temporaryFolder } from '../../files/temporary.ts';
import { findTool } from '../../tools/find-tool.ts';
import { lastLines, runTool, type ToolResult } from '../../tools/run-tool.ts';
import { stm32TargetOf } from '../stm32-target.ts';
import { probeFailed, probeSilent, probeToolMissing, probeWrongChip } from './errors.ts';
import type { Flasher } from './flasher.ts';
import { onlyDevice, presentDevice } from './usb-presence.ts';

/** ST-LINK/V1 to STLINK-V3 and their variants with and without a drive (openocd's interface/stlink.cfg). */
export const probeIds: readonly string[] = [
  ...['3744', '3748', '374b', '374d', '374e', '374f', '3752', '3753', '3754', '3755', '3757'],
].map((product) => `0483:${product}`);

const probeSeconds = 30;
const writeSeconds = 180;

/** openocd's description of each line (its folder scripts/target). */
const openocdTargets: Readonly<Record<Stm32Board['chip']['line'], string>> = {
  f0: 'stm32f0x',
  f1: 'stm32f1x',
  f2: 'stm32f2x',
  f3: 'stm32f3x',
  f4: 'stm32f4x',
  f7: 'stm32f7x',
  g0: 'stm32g0x',
  g4: 'stm32g4x',
  h7: 'stm32h7x',
  l0: 'stm32l0',
  l4: 'stm32l4x',
  u5: 'stm32u5x',
};

type Run = (tool: string, args: readonly string[], seconds: number) => Promise<string>;

/** A program that drives an ST-LINK. Neither is believed for its exit code alone: both can end with 0 after an error. */
interface ProbeProgram {
  readonly tool: string;
  /** The chip's id, where the program tells it. */
  readonly chipId: (run: Run, board: Stm32Board, serial: string | undefined) => Promise<number | undefined>;
  readonly write: (run: Run, board: Stm32Board, serial: string | undefined) => Promise<string>;
  /** What it says when it has read everything back. */
  readonly proof: RegExp;
}

function openocdArgs(
  { chip }: Stm32Board,
  serial: string | undefined,
  commands: readonly string[],
): string[] {
  const files = ['-f', 'interface/stlink.cfg'];
  const which = serial === undefined ? [] : ['-c', `adapter serial ${serial}`];
  return [
    ...files,
    ...which,
    '-f',
    `target/${openocdTargets[chip.line]}.cfg`,
    ...commands.flatMap((one) => ['-c', one]),
  ];
}

const origin = ({ chip }: Board) => `0x${chip.flash.origin.toString(16).padStart(8, '0')}`;

const programs: readonly ProbeProgram[] = [
  {
    tool: 'openocd',
    async chipId(run, board, serial) {
      const commands = ['init', 'reset halt', 'flash probe 0', 'shutdown'];
      const said = await run('openocd', openocdArgs(board, serial, commands), probeSeconds);
      const id = /device id(?:code)? = 0x([0-9a-f]{3,8})/i.exec(said)?.[1];
      return id === undefined ? undefined : Number.parseInt(id, 16) & 0xfff;
    },
    write: (run, board, serial) =>
      run(
        'openocd',
        openocdArgs(board, serial, [`program firmware.bin ${origin(board)} verify reset exit`]),
        writeSeconds,
      ),
    proof: /\*\* Verified OK \*\*/,
  },
  {
    tool: 'st-flash',
    async chipId(run, _board, serial) {
      if (findTool('st-info') === undefined) return undefined;
      const which = serial === undefined ? [] : ['--serial', serial];
      const id = /^0x([0-9a-f]{3,8})\s*$/im.exec(
        await run('st-info', [...which, '--chipid'], probeSeconds),
      )?.[1];
      return id === undefined ? undefined : Number.parseInt(id, 16) & 0xfff;
    },
    write: (run, board, serial) =>
      run(
        'st-flash',
        [
          ...(serial === undefined ? [] : ['--serial', serial]),
          '--reset',
          'write',
          'firmware.bin',
          origin(board),
        ],
        writeSeconds,
      ),
    proof: /flash written and verified/i,
  },
];

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
  writeFileSync(join(folder, 'firmware.bin'), image);
  const run: Run = async (tool, args, timeoutSeconds) => {
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
  const id = await program.chipId(run, board, serial);
  if (id !== undefined && id !== board.chip.bootloader.chipId) {
    throw probeWrongChip(program.tool, id, board.chip.bootloader.chipId);
  }
  progress(`${program.tool} writes and verifies`);
  const said = await program.write(run, board, serial);
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
