import type { BoardFacts } from './facts.ts';

type Cpu = BoardFacts['cpu'];

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

export function toolchainOf(cpu: Cpu): Toolchain {
  return toolchains[cpu];
}
