import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import type { Lifetime } from '../lifetime.ts';
import { findFirstTool, findTool } from '../tools/find-tool.ts';
import { runTool } from '../tools/run-tool.ts';

/** What one check found. `needed` is false for what only some uses want. */
export interface Check {
  readonly name: string;
  readonly needed: boolean;
  readonly ok: boolean;
  /** Version, path, or what is wrong. */
  readonly found: string;
  /** Debian packages that mend it. */
  readonly packages: readonly string[];
  /** The command or action that mends it; empty when nothing is to be done. */
  readonly fix: string;
}

interface ToolCheck {
  readonly name: string;
  readonly programs: readonly string[];
  readonly packages: readonly string[];
  readonly brew: string;
  /** Only for some boards. */
  readonly optional?: true;
  /** Runs beyond `--version`: the arguments, and what must be in the output. */
  readonly probe?: { readonly args: readonly string[]; readonly expected: string; readonly input?: string };
}

/** The programs that the default board and `--engine c` need. */
const tools: readonly ToolCheck[] = [
  {
    name: 'ARM compiler',
    programs: ['arm-none-eabi-gcc'],
    packages: ['gcc-arm-none-eabi', 'libnewlib-arm-none-eabi'],
    brew: 'brew install --cask gcc-arm-embedded',
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
    brew: 'brew install qemu',
    probe: { args: ['-machine', 'help'], expected: 'netduinoplus2' },
  },
  {
    name: 'C compiler of this machine',
    programs: ['cc', 'gcc', 'clang'],
    packages: ['gcc', 'libc6-dev'],
    brew: 'xcode-select --install',
    probe: { args: ['-E', '-x', 'c', '-'], expected: 'printf', input: '#include <stdio.h>\n' },
  },
  {
    name: 'RISC-V compiler',
    programs: ['riscv64-unknown-elf-gcc'],
    packages: ['gcc-riscv64-unknown-elf'],
    brew: 'brew install riscv-gnu-toolchain',
    optional: true,
  },
  {
    name: 'QEMU for RISC-V',
    programs: ['qemu-system-riscv32'],
    packages: ['qemu-system-misc'],
    brew: 'brew install qemu',
    optional: true,
  },
];

export function aptCommand(packages: readonly string[]): readonly string[] {
  return ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
}

/** How to install packages here, as one command to type. */
function installHint(check: ToolCheck): string {
  if (process.platform === 'darwin') return check.brew;
  if (findTool('apt-get') !== undefined) return `sudo ${aptCommand(check.packages).join(' ')}`;
  return `install ${check.programs[0]} (Debian: ${check.packages.join(' ')}) with your package manager`;
}

async function checkTool(check: ToolCheck, lifetime: Lifetime): Promise<Check> {
  const base = { name: check.name, needed: check.optional !== true, packages: check.packages };
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
  return { ...base, ok: true, found: await versionOf(path, lifetime), fix: '' };
}

const probeSeconds = 20;

async function versionOf(path: string, lifetime: Lifetime): Promise<string> {
  const run = { tool: path, args: ['--version'], purpose: 'be checked', timeoutSeconds: probeSeconds };
  const { stdout } = await runTool(run, lifetime);
  return new TextDecoder().decode(stdout).split('\n', 1)[0]!.trim().slice(0, 100);
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

function checkNode(): Check {
  const major = Number(process.versions.node.split('.')[0]);
  const ok = major >= 20;
  const fix = ok ? '' : 'install Node.js 20 or later from https://nodejs.org';
  return { name: 'Node.js', needed: true, ok, found: `v${process.versions.node}`, packages: [], fix };
}

/** Serial devices of Linux that this user may not open. Without a board there is nothing to check. */
function checkSerial(): Check {
  const base = { name: 'serial ports', needed: false, packages: [] };
  if (process.platform !== 'linux')
    return { ...base, ok: true, found: 'not checked on this system', fix: '' };
  const devices = readdirSync('/dev').filter((name) => /^tty(ACM|USB)\d+$/.test(name));
  const closed = devices.filter((name) => !mayOpen(`/dev/${name}`));
  if (closed.length === 0) {
    return {
      ...base,
      ok: true,
      found: devices.length === 0 ? 'no board is plugged in' : devices.join(', '),
      fix: '',
    };
  }
  const fix = 'sudo usermod -aG dialout "$USER", then log in again';
  return { ...base, ok: false, found: `no permission for ${closed.join(', ')}`, fix };
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** ModemManager writes to every new serial port, which disturbs boot loaders. */
function checkModemManager(): Check {
  const running = process.platform === 'linux' && processNames().includes('ModemManager');
  const fix = running ? 'sudo systemctl disable --now ModemManager' : '';
  const found = running ? 'is running and probes new ports' : 'not running';
  return { name: 'ModemManager', needed: false, ok: !running, found, packages: [], fix };
}

function processNames(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      } catch {
        return '';
      }
    });
}

export async function runChecks(lifetime: Lifetime): Promise<Check[]> {
  const found = await Promise.all(tools.map((check) => checkTool(check, lifetime)));
  return [checkNode(), ...found, checkSerial(), checkModemManager()];
}
