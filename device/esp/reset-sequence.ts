import type { Signals, Transport } from '../transport/transport.ts';
import { resetSequenceInvalid } from './errors.ts';
import type { LoaderTimeouts } from './timeouts.ts';

/**
 * How the modem lines start the loader: `classic` through two transistors on EN and IO0, `usb-jtag-serial` through the
 * chip's own USB controller, `manual` by hand, or steps of the user's own in esptool's notation.
 */
export type ResetWay = NamedReset | { readonly custom: string };

const namedResets = ['classic', 'usb-jtag-serial', 'manual'] as const;
export type NamedReset = (typeof namedResets)[number];

export const isNamedReset = (text: string): text is NamedReset =>
  (namedResets as readonly string[]).includes(text);

export type ResetStep =
  | { readonly signals: Partial<Signals> }
  /** Milliseconds. */
  | { readonly waitMs: number };

const LONGEST_WAIT_S = 10;

function parseStep(step: string, whole: string): ResetStep {
  const pair = /^U([01]),\s*([01])$/i.exec(step);
  if (pair) return { signals: { dtr: pair[1] === '1', rts: pair[2] === '1' } };
  const line = /^([DR])([01])$/i.exec(step);
  if (line) return { signals: { [line[1]!.toUpperCase() === 'D' ? 'dtr' : 'rts']: line[2] === '1' } };
  const seconds = /^W(\d+(\.\d*)?|\.\d+)$/i.exec(step)?.[1];
  if (seconds !== undefined && Number(seconds) <= LONGEST_WAIT_S) return { waitMs: Number(seconds) * 1000 };
  throw resetSequenceInvalid(whole, step);
}

/** Steps in esptool's notation: `D0|R1|W0.1|D1|R0|W0.05|D0`. E_RESET_SEQUENCE names the step that is none. */
export function parseResetSequence(text: string): ResetStep[] {
  return text
    .split('|')
    .map((step) => step.trim())
    .filter((step) => step !== '')
    .map((step) => parseStep(step, text));
}

const lines = (dtr: boolean, rts: boolean): ResetStep => ({ signals: { dtr, rts } });

/** RTS alone holds the chip in reset; DTR alone pulls IO0 down, which the chip looks at when reset ends. */
function classicSteps(holdMs: number, bootPinMs: number): ResetStep[] {
  return [
    lines(false, true),
    { waitMs: holdMs },
    lines(true, false),
    { waitMs: bootPinMs },
    lines(false, false),
  ];
}

/** The controller takes the step from one line to the other, with both set between, for a reset into the loader. */
function usbSteps(holdMs: number): ResetStep[] {
  return [
    lines(false, false),
    { waitMs: holdMs },
    lines(true, false),
    { waitMs: holdMs },
    lines(true, true),
    lines(false, true),
    { waitMs: holdMs },
    lines(false, false),
  ];
}

/** Boards with two sockets are plugged in at the other one sooner or later: every third attempt is the other way. */
const OTHERS_TURN = 2;

function namedSteps(
  way: 'classic' | 'usb-jtag-serial',
  attempt: number,
  timeouts: LoaderTimeouts,
): ResetStep[] {
  const usual = attempt % (OTHERS_TURN + 1) !== OTHERS_TURN;
  if ((way === 'usb-jtag-serial') === usual) return usbSteps(timeouts.resetHoldMs);
  // A capacitor at EN may want more time.
  const slower = attempt % (OTHERS_TURN + 1) === 1 ? 500 : 0;
  return classicSteps(timeouts.resetHoldMs, timeouts.bootPinMs + slower);
}

/** The steps of one attempt. */
export function loaderSteps(way: ResetWay, attempt: number, timeouts: LoaderTimeouts): ResetStep[] {
  if (typeof way === 'object') return parseResetSequence(way.custom);
  return way === 'manual' ? [] : namedSteps(way, attempt, timeouts);
}

/** Starts the program in flash. */
export function runSteps(timeouts: LoaderTimeouts): ResetStep[] {
  return [lines(false, true), { waitMs: timeouts.resetHoldMs }, lines(false, false)];
}

export async function playSteps(
  transport: Transport,
  steps: readonly ResetStep[],
  signal?: AbortSignal,
): Promise<void> {
  let signals: Signals = { dtr: false, rts: false };
  for (const step of steps) {
    if ('waitMs' in step) await transport.clock.sleep(step.waitMs, signal);
    else {
      signals = { ...signals, ...step.signals };
      await transport.setSignals(signals);
    }
  }
}
