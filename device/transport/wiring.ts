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

/**
 * What two transistors on ESP32 devkits make of both lines, as far as it matters to a program that is to be restarted:
 * RTS alone holds EN low. The boot loader wants steps in between (`esp/reset-sequence.ts`).
 */
export const espWiring: Wiring = {
  reset: { line: 'rts', asserted: true },
  boot: { line: 'dtr', asserted: true },
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

const PULSE_MS = 100;
const NEITHER = { dtr: false, rts: false };
const RTS_ALONE = { dtr: false, rts: true };
const BOTH = { dtr: true, rts: true };

/**
 * Restarts the program of a board whose wiring is not known, whatever the usual ones make of it: RTS alone pulls EN of
 * an ESP32 devkit low, DTR pulls NRST of a board with our default wiring and the reset of an Arduino, and each pin that
 * chooses a boot loader is at rest when its reset ends. No two lines change at once.
 */
export async function pulseAnyReset(transport: Transport, signal?: AbortSignal): Promise<void> {
  for (const signals of [RTS_ALONE, BOTH, RTS_ALONE, NEITHER]) {
    await transport.setSignals(signals);
    if (signals !== NEITHER) await transport.clock.sleep(PULSE_MS, signal);
  }
}

/** Restarts a board's program from flash. */
export async function pulseReset(
  transport: Transport,
  wiring: Wiring,
  holdMs: number,
  signal?: AbortSignal,
): Promise<void> {
  await holdInReset(transport, wiring, 'flash');
  await transport.clock.sleep(holdMs, signal);
  await releaseReset(transport, wiring, 'flash');
}
