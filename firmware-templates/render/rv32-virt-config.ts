import type { Define } from './config-header.ts';
import type { Rv32VirtFacts } from './facts.ts';

const hex = (value: number) => `0x${value.toString(16).toUpperCase().padStart(8, '0')}u`;

/** The interrupt timer of QEMU's machine, its lowest device that a program could use (hw/riscv/virt.c). */
const devicesStart = 0x02000000;

/** The lines of tml_config.h that port/rv32 and port/rv32-virt read. */
export function rv32VirtDefines({ flash, ram, clockHz, tickHz }: Rv32VirtFacts): Define[] {
  return [
    ['TML_DEVICES_START', hex(devicesStart)],
    ['TML_FLASH_START', hex(flash.origin)],
    ['TML_RAM_START', hex(ram.origin)],
    ['TML_RAM_END', hex(ram.origin + ram.bytes)],
    ['TML_CLOCK_HZ', `${clockHz}u`],
    ['TML_TICK_HZ', `${tickHz}u`],
  ];
}
