/** A pin such as `PA9`. */
export interface Pin {
  /** 0 for port A. */
  readonly port: number;
  readonly pin: number;
}

export interface MemoryRegion {
  readonly origin: number;
  readonly bytes: number;
}

export type UartName = 'usart1' | 'usart2' | 'usart3' | 'usart6';

interface Memories {
  readonly id: string;
  readonly flash: MemoryRegion;
  readonly ram: MemoryRegion;
}

export interface Stm32f4Facts extends Memories {
  readonly family: 'stm32f4';
  readonly cpu: 'cortex-m4f';
  readonly clock: ClockFacts;
  readonly uart: {
    readonly name: UartName;
    readonly tx: Pin;
    readonly rx: Pin;
    readonly alternate: number;
    readonly baud: number;
  };
  readonly led: (Pin & { readonly activeLow: boolean }) | undefined;
  /** `cycles`: DWT's cycle counter. `instructions`: TIM2 of the emulator, one tick an instruction. */
  readonly counter: 'cycles' | 'instructions';
  /** Ticks a second of an emulated counter; the real one follows the core clock. */
  readonly tickHz: number | undefined;
}

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
export type BoardFacts = Stm32f4Facts | Rv32VirtFacts | EspFacts;

export interface ClockFacts {
  /** Frequency at the oscillator pins, 0 when nothing is there. A multiple of 1 MHz. */
  readonly hseHz: number;
  /** A clock is fed in, rather than a crystal excited. */
  readonly hseBypass: boolean;
  readonly sysclkHz: number;
  /** The PLL's output divider P: 2, 4, 6 or 8. */
  readonly pllDivider: number;
  readonly apb1Divider: number;
  readonly apb2Divider: number;
  readonly flashWaitStates: number;
  /** Value of PWR_CR's VOS field. */
  readonly voltageScale: number;
  readonly overDrive: boolean;
}

/** What the firmware has to know of the generated model beside its C text. */
export interface ModelFacts {
  /** Entries of `model_info.layers`. */
  readonly layers: number;
  /** Inference leaves the input as it was loaded. */
  readonly inputKept: boolean;
}

export interface SourceFile {
  /** Relative, with forward slashes. */
  readonly path: string;
  readonly text: string;
}
