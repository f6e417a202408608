import type { Board } from '../../boards/load.ts';
import { TinymlError } from '../../common/tinyml-error.ts';
import { toolchainOf } from '../../firmware-templates/render/toolchain.ts';
import type { Lifetime } from '../lifetime.ts';
import { findFirstTool, findTool } from '../tools/find-tool.ts';
import { runTool } from '../tools/run-tool.ts';
import type { Check } from './check.ts';

interface ToolCheck {
  readonly name: string;
  readonly programs: readonly string[];
  readonly packages: readonly string[];
  /** What mends it on macOS, or anywhere if no package does. */
  readonly elsewhere: string;
  /** For every board; the others are needed where the board is built or emulated with them. */
  readonly always?: true;
  /** What makes it tell its version; `--version` when not given. */
  readonly versionFlag?: string;
  /** Runs beyond `--version`: the arguments, and what must be in the output. */
  readonly probe?: { readonly args: readonly string[]; readonly expected: string; readonly input?: string };
}

/** Programs that tinyml runs. */
const tools: readonly ToolCheck[] = [
  {
    name: 'ARM compiler',
    programs: ['arm-none-eabi-gcc'],
    packages: ['gcc-arm-none-eabi', 'libnewlib-arm-none-eabi'],
    elsewhere: 'brew install --cask gcc-arm-embedded',
    probe: {
      args: ['-E', '-x', 'c', '-'],
      expected: 'memcpy',
      input: '#include <string.h>\n#include <stdint.h>\n',
    },
  },
  {
    name: 'QEMU for ARM',
    programs: ['qemu-system-arm'],
    packages: ['qemu-system-arm'],
    elsewhere: 'brew install qemu',
    probe: { args: ['-machine', 'help'], expected: 'netduinoplus2' },
  },
  {
    name: 'C compiler of this machine',
    programs: ['cc', 'gcc', 'clang'],
    packages: ['gcc', 'libc6-dev'],
    always: true,
    elsewhere: 'xcode-select --install',
    probe: { args: ['-E', '-x', 'c', '-'], expected: 'printf', input: '#include <stdio.h>\n' },
  },
  {
    name: 'RISC-V compiler',
    programs: ['riscv64-unknown-elf-gcc'],
    packages: ['gcc-riscv64-unknown-elf'],
    elsewhere: 'brew install riscv-gnu-toolchain',
  },
  {
    name: 'QEMU for RISC-V',
    programs: ['qemu-system-riscv32'],
    packages: ['qemu-system-misc'],
    elsewhere: 'brew install qemu',
  },
  {
    name: 'Xtensa compiler',
    programs: ['xtensa-lx106-elf-gcc'],
    packages: ['gcc-xtensa-lx106'],
    elsewhere: 'brew install platformio, which brings one',
  },
  {
    name: 'ESP-IDF',
    programs: ['idf.py'],
    packages: [],
    elsewhere: 'install ESP-IDF (https://docs.espressif.com/projects/esp-idf), then: . export.sh',
  },
  {
    name: 'ST-Link program',
    programs: ['openocd', 'st-flash'],
    packages: ['openocd'],
    elsewhere: 'brew install openocd',
  },
  {
    name: 'USB DFU program',
    programs: ['dfu-util'],
    packages: ['dfu-util'],
    elsewhere: 'brew install dfu-util',
  },
  {
    name: 'pseudo terminals',
    programs: ['socat'],
    packages: ['socat'],
    elsewhere: 'brew install socat',
    versionFlag: '-V',
  },
];

export function aptCommand(packages: readonly string[]): readonly string[] {
  return ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
}

/** How to install packages here, as one command to type. */
function installHint(check: ToolCheck): string {
  if (process.platform === 'darwin' || check.packages.length === 0) return check.elsewhere;
  if (findTool('apt-get') !== undefined) return `sudo ${aptCommand(check.packages).join(' ')}`;
  return `install ${check.programs[0]} (Debian: ${check.packages.join(' ')}) with your package manager`;
}

/** The compiler that the board's firmware is built with, and its emulator. Where tinyml has no port, it is ESP-IDF's. */
function programsOf(board: Board): readonly string[] {
  const emulator = board.emulator ? [board.emulator.program] : [];
  try {
    return [`${toolchainOf(board.chip.cpu).prefix}gcc`, ...emulator];
  } catch (error) {
    if (!(error instanceof TinymlError) || error.code !== 'E_NO_PORT') throw error;
    return ['idf.py', ...emulator];
  }
}

async function checkTool(check: ToolCheck, board: Board, lifetime: Lifetime): Promise<Check> {
  const needs = programsOf(board);
  const needed = check.always === true || check.programs.some((program) => needs.includes(program));
  const base = { name: check.name, needed, packages: check.packages };
  const path = findFirstTool(check.programs);
  if (path === undefined) {
    return {
      ...base,
      ok: false,
      found: `${check.programs.join(', ')}: not in PATH`,
      fix: installHint(check),
    };
  }
  const problem = await probe(path, check, lifetime);
  if (problem !== undefined) return { ...base, ok: false, found: problem, fix: installHint(check) };
  return {
    ...base,
    ok: true,
    found: await versionOf(path, check.versionFlag ?? '--version', lifetime),
    fix: '',
  };
}

const probeSeconds = 20;

async function versionOf(path: string, flag: string, lifetime: Lifetime): Promise<string> {
  const run = { tool: path, args: [flag], purpose: 'be checked', timeoutSeconds: probeSeconds };
  const { stdout, stderr } = await runTool(run, lifetime);
  // OpenOCD tells its version on stderr.
  const said = `${new TextDecoder().decode(stdout)}\n${stderr}`.trim();
  const lines = said.split('\n');
  return (lines.find((line) => /version/i.test(line)) ?? lines[0]!).trim().slice(0, 100);
}

/** What is wrong with a program that is there, or undefined. */
async function probe(path: string, check: ToolCheck, lifetime: Lifetime): Promise<string | undefined> {
  if (check.probe === undefined) return undefined;
  const { args, expected, input = '' } = check.probe;
  try {
    const run = { tool: path, args, purpose: 'be checked', timeoutSeconds: probeSeconds };
    const result = await runTool({ ...run, input: new TextEncoder().encode(input) }, lifetime);
    const said = new TextDecoder().decode(result.stdout);
    return result.code === 0 && said.includes(expected)
      ? undefined
      : `${path}: is incomplete (no ${expected})`;
  } catch (error) {
    lifetime.signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}

/** The programs that are installed, and whether the board needs them. */
export function checkTools(board: Board, lifetime: Lifetime): Promise<Check[]> {
  return Promise.all(tools.map((check) => checkTool(check, board, lifetime)));
}
