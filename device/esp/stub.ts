import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { EspChip } from './chips.ts';

/** A program for the chip's RAM that does what the ROM's loader does, faster and more. */
export interface FlasherStub {
  readonly entry: number;
  readonly segments: readonly { readonly address: number; readonly bytes: Uint8Array }[];
}

interface StubFile {
  readonly entry: number;
  readonly text: string;
  readonly text_start: number;
  readonly data?: string;
  readonly data_start?: number;
}

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));

/** ESP32-P4 before revision 3 has its RAM elsewhere. */
function fileName(chip: EspChip, revision: number): string {
  return chip === 'esp32p4' && revision < 300 ? 'esp32p4-rev1' : chip;
}

/** Espressif's stub for a chip (esp-flasher-stub, Apache-2.0), from the package esptool-js. `revision` is 100 * major + minor. */
export function flasherStub(chip: EspChip, revision: number): FlasherStub {
  const require = createRequire(import.meta.url);
  const path = require.resolve(`esptool-js/lib/targets/stub_flasher/${fileName(chip, revision)}.json`);
  const { entry, text, text_start, data, data_start } = JSON.parse(readFileSync(path, 'utf8')) as StubFile;
  const segments = [{ address: text_start, bytes: bytesOf(text) }];
  if (data !== undefined && data_start !== undefined)
    segments.push({ address: data_start, bytes: bytesOf(data) });
  return { entry, segments };
}
