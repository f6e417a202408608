import type { Transport } from './transport.ts';

/** Which modem line drives which pin, and which of its states makes the pin low or high. */
export interface Wiring {
  /** The line on NRST, and the state that holds the chip in reset. */
  readonly reset: { readonly line: 'dtr' | 'rts'; readonly asserted: boolean };
  /** The line on BOOT0, and the state that raises it, so that a reset enters the boot loader. */
  readonly boot: { readonly line: 'dtr' | 'rts'; readonly asserted: boolean };
}

/** What stm32loader expects unless told otherwise: DTR asserted holds NRST low, RTS de-asserted raises BOOT0. */
export const defaultWiring: Wiring = {
  reset: { line: 'dtr', asserted: true },
  boot: { line: 'rts', asserted: false },
};

export type BootMode = 'bootloader' | 'flash';

function signalsFor(wiring: Wiring, inReset: boolean, mode: BootMode): { dtr: boolean; rts: boolean } {
  const signals = { dtr: false, rts: false };
  signals[wiring.reset.line] = inReset === wiring.reset.asserted;
  signals[wiring.boot.line] = (mode === 'bootloader') === wiring.boot.asserted;
  return signals;
}

/** Holds the chip in reset with its boot pin set for what shall start next. */
export function holdInReset(transport: Transport, wiring: Wiring, mode: BootMode): Promise<void> {
  return transport.setSignals(signalsFor(wiring, true, mode));
}

/** Lets the chip run; the boot pin stays where it must be while the chip samples it. */
export function releaseReset(transport: Transport, wiring: Wiring, mode: BootMode): Promise<void> {
  return transport.setSignals(signalsFor(wiring, false, mode));
}
