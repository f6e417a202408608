import type { Stm32Board } from '../../../boards/load.ts';

/** Runs a program in the folder with firmware.bin; all that it said. Throws what its words mean when it failed. */
export type RunProgram = (tool: string, args: readonly string[], seconds: number) => Promise<string>;

/** A chip that is looked at, behind the one probe of several with this serial number. */
export interface Probed {
  readonly board: Stm32Board;
  readonly serial: string | undefined;
}

/** What was found, as far as the program tells it. */
export interface Found {
  readonly chipId?: number | undefined;
  /** How this version of the program writes the probe's serial number, where that is another way. */
  readonly serial?: string | undefined;
}

/** A program that drives an ST-LINK. Neither is believed for its exit code alone: both can end with 0 after an error. */
export interface ProbeProgram {
  readonly tool: string;
  readonly look: (run: RunProgram, probed: Probed) => Promise<Found>;
  readonly write: (run: RunProgram, probed: Probed) => Promise<string>;
  /** What it says when it has read everything back. */
  readonly proof: RegExp;
}

export const probeSeconds = 30;
export const writeSeconds = 180;

/** Where the flash begins, as programs take it. */
export const flashOrigin = ({ chip }: Stm32Board) => `0x${chip.flash.origin.toString(16).padStart(8, '0')}`;

/** Of the identity register, the part that tells the product. */
export const chipIdOf = (hexadecimal: string) => Number.parseInt(hexadecimal, 16) & 0xfff;
