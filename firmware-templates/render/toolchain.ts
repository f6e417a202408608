import { noPort } from '../errors.ts';
import type { BoardFacts } from './facts.ts';
import type { Stm32Cpu } from './stm32/stm32-facts.ts';

type Cpu = Stm32Cpu | Extract<BoardFacts['cpu'], 'rv32imc' | 'xtensa-lx6'>;

export interface Toolchain {
  /** What the names of its programs begin with. */
  readonly prefix: 'arm-none-eabi-' | 'riscv64-unknown-elf-' | 'xtensa-lx106-elf-';
  readonly compile: readonly string[];
  readonly link: readonly string[];
}

function cortexM(core: string, fpu?: 'fpv4-sp-d16' | 'fpv5-sp-d16'): Toolchain {
  const flags = [
    `-mcpu=${core}`,
    '-mthumb',
    ...(fpu ? ['-mfloat-abi=hard', `-mfpu=${fpu}`] : ['-mfloat-abi=soft']),
  ];
  return { prefix: 'arm-none-eabi-', compile: flags, link: flags };
}

/**
 * Compilers by processor. The RISC-V one is used without a C library, of which its packages bring none
 * (`-ffreestanding`; `-fbuiltin` gives back the functions that the compiler knows by itself); its library of
 * helpers is filed under the architecture's name without the instructions for control registers.
 */
const toolchains: Readonly<Record<Cpu, Toolchain>> = {
  'cortex-m0': cortexM('cortex-m0'),
  'cortex-m0plus': cortexM('cortex-m0plus'),
  'cortex-m3': cortexM('cortex-m3'),
  'cortex-m4f': cortexM('cortex-m4', 'fpv4-sp-d16'),
  // Single precision, which those that can do double have as well.
  'cortex-m7': cortexM('cortex-m7', 'fpv5-sp-d16'),
  'cortex-m33': cortexM('cortex-m33', 'fpv5-sp-d16'),
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
  // The ESP8266's core has the same instructions but for register windows, which nobody has to use, and a few more.
  'xtensa-lx6': {
    prefix: 'xtensa-lx106-elf-',
    compile: ['-mlongcalls', '-mtext-section-literals', '-ffreestanding', '-fbuiltin'],
    link: [],
  },
};

/** Throws E_NO_PORT for a processor that nothing is built for here. */
export function toolchainOf(cpu: BoardFacts['cpu']): Toolchain {
  if (!Object.hasOwn(toolchains, cpu)) throw noPort(cpu);
  return toolchains[cpu as Cpu];
}
