import type { CodeAddress } from '../../device/console/crash-text.ts';
import { type Elf, placeOf, readElf } from '../../firmware-templates/elf.ts';
import type { Context } from '../context.ts';
import { readInputFile } from '../files/input-file.ts';
import { findFirstTool } from '../tools/find-tool.ts';
import { runTool } from '../tools/run-tool.ts';

export interface NamedAddress {
  readonly label: string;
  readonly address: string;
  readonly function: string;
  /** `main.c:42`, where a program that reads line tables is installed. */
  readonly place?: string;
}

/** Names the addresses that lie in code; the others are left out. */
export type NameAddresses = (addresses: readonly CodeAddress[]) => Promise<readonly NamedAddress[]>;

const elfLimit = 268_435_456;
/** A dump has some dozens; a board that prints nothing else shall not keep this machine busy. */
const most = 64;
const toolSeconds = 20;

/** ELF e_machine, and who reads line tables for it. */
const readers: ReadonlyMap<number, readonly string[]> = new Map([
  [40, ['arm-none-eabi-addr2line']],
  [94, ['xtensa-esp32-elf-addr2line', 'xtensa-esp-elf-addr2line', 'xtensa-lx106-elf-addr2line']],
  [243, ['riscv64-unknown-elf-addr2line', 'riscv32-esp-elf-addr2line']],
]);

const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

/** The instruction that is meant: of a return address the call before it. */
const meant = ({ address, isReturn }: CodeAddress) => (isReturn ? ((address & ~1) >>> 0) - 1 : address);

function nameOf(elf: Elf, address: CodeAddress): NamedAddress | undefined {
  const place = placeOf(elf, meant(address));
  if (!place) return undefined;
  const offset = place.offset + (address.isReturn ? 1 : 0);
  return {
    label: address.label,
    address: hex(address.address),
    function: offset > 0 ? `${place.name}+0x${offset.toString(16)}` : place.name,
  };
}

/** File and line of each address, undefined where they are not told. */
async function placesOf(
  context: Context,
  tool: string,
  path: string,
  addresses: readonly CodeAddress[],
): Promise<(string | undefined)[]> {
  const args = ['-e', path, ...addresses.map((address) => hex(meant(address)))];
  const run = { tool, args, purpose: 'name source lines', timeoutSeconds: toolSeconds };
  const { stdout } = await runTool(run, context.lifetime).catch(() => ({ stdout: new Uint8Array(0) }));
  context.lifetime.signal.throwIfAborted();
  const lines = new TextDecoder().decode(stdout).split('\n');
  return addresses.map((_, i) => {
    const place = lines[i]?.split(' ', 1)[0]?.split('/').at(-1);
    return place && !/[?]|:0$/.test(place) ? place : undefined;
  });
}

/** Reads the symbols of the program that a board runs. E_BAD_ELF and what opening the file throws. */
export function openSymbols(context: Context, path: string): NameAddresses {
  const { bytes } = readInputFile(path, { expected: 'a program (firmware.elf)', limit: elfLimit });
  const elf = readElf(bytes);
  const machine = new DataView(bytes.buffer, bytes.byteOffset).getUint16(18, true);
  const tool = findFirstTool(readers.get(machine) ?? []);
  return async (addresses) => {
    const known = addresses.slice(0, most).filter((address) => placeOf(elf, meant(address)));
    if (known.length === 0) return [];
    const places = tool === undefined ? [] : await placesOf(context, tool, path, known);
    return known.map((address, i) => {
      const named = nameOf(elf, address)!;
      return places[i] === undefined ? named : { ...named, place: places[i] };
    });
  };
}
