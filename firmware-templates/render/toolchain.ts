import { noPort } from '../errors.ts';
import type { BoardFacts } from './facts.ts';

type Cpu = Extract<BoardFacts['cpu'], 'cortex-m4f' | 'rv32imc'>;

export interface Toolchain {
  /** What the names of its programs begin with. */
  readonly prefix: 'arm-none-eabi-' | 'riscv64-unknown-elf-';
  readonly compile: readonly string[];
  readonly link: readonly string[];
}

const cortexM4f = ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16'];

/**
 * Compilers by processor. The RISC-V one is used without a C library, of which its packages bring none
 * (`-ffreestanding`; `-fbuiltin` gives back the functions that the compiler knows by itself); its library of
 * helpers is filed under the architecture's name without the instructions for control registers.
 */
const toolchains: Readonly<Record<Cpu, Toolchain>> = {
  'cortex-m4f': { prefix: 'arm-none-eabi-', compile: cortexM4f, link: cortexM4f },
  rv32imc: {
    prefix: 'riscv64-unknown-elf-',
    compile: [
      '-march=rv32imc_zicsr',
      '-mabi=ilp32',
      '-mstrict-align',
      '-msmall-data-limit=0',
      '-ffreestanding',
      '-fbuiltin',
    ],
    link: ['-march=rv32imc', '-mabi=ilp32'],
  },
};

/** Throws E_NO_PORT for a processor that nothing is built for here. */
export function toolchainOf(cpu: BoardFacts['cpu']): Toolchain {
  if (!Object.hasOwn(toolchains, cpu)) throw noPort(cpu);
  return toolchains[cpu as Cpu];
}
