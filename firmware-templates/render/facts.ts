import type { Memories, MemoryRegion } from './common-facts.ts';
import type { Stm32Facts } from './stm32/stm32-facts.ts';

/** QEMU's `virt` machine with a 32-bit core. */
export interface Rv32VirtFacts extends Memories {
  readonly family: 'rv32-virt';
  readonly cpu: 'rv32imc';
  /** Told to the host; the machine has no clock of its own. */
  readonly clockHz: number;
  /** Instructions in a second of the emulator's time. */
  readonly tickHz: number;
}

export type EspFamily = 'esp32' | 'esp32s2' | 'esp32s3' | 'esp32c3' | 'esp32c6' | 'esp32p4';

/** An Espressif chip, whose ROM copies parts of an image from flash to RAM and starts it there. */
export interface EspFacts extends Memories {
  readonly family: EspFamily;
  readonly cpu: 'xtensa-lx6' | 'xtensa-lx7' | 'rv32imc' | 'rv32imac' | 'rv32imafc';
  readonly clockHz: number;
  /** Where RAM is seen by instruction fetches; `shared` when it is the data RAM under another address. */
  readonly iram: MemoryRegion & { readonly shared: boolean };
  /** The window through which constants in flash are read. */
  readonly mappedFlash: MemoryRegion & { readonly pageBytes: number };
  readonly boot: {
    /** `chip_id` of the image header. */
    readonly chipId: number;
    /** Where in flash the ROM looks for the image. */
    readonly imageOffset: number;
  };
  readonly serial: {
    readonly peripheral: 'uart0' | 'usb-serial-jtag' | 'usb-otg';
    readonly baud: number;
  };
  readonly led: { readonly pin: number; readonly activeLow: boolean } | undefined;
  /** `instructions` on emulated boards. */
  readonly counter: 'cycles' | 'instructions';
}

/** What the firmware has to know of a board and its chip; plain data, whoever it comes from. */
export type BoardFacts = Stm32Facts | Rv32VirtFacts | EspFacts;

/** What the firmware has to know of the generated model beside its C text. */
export interface ModelFacts {
  /** Entries of `model_info.layers`. */
  readonly layers: number;
  /** Inference leaves the input as it was loaded. */
  readonly inputKept: boolean;
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  /** `flash` leaves constants there although they might fit RAM, on chips that have the choice. */
  readonly constants?: 'flash';
}

export interface SourceFile {
  /** Relative, with forward slashes. */
  readonly path: string;
  readonly text: string;
}
