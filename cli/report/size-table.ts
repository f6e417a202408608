import type { ImageSizes } from '../../firmware-templates/elf-sizes.ts';
import { formatBytes } from './format.ts';
import { renderPairs } from './table.ts';

/** Where the flash and RAM of a firmware go, with what the board has. */
export function renderSizes(sizes: ImageSizes, flashBytes: number, ramBytes: number): string {
  const { arena, static: variables, stack, loaded } = sizes.ram;
  const share = (part: number, whole: number) =>
    `${((100 * part) / whole).toFixed(1)} % of ${formatBytes(whole)}`;
  const { elsewhere } = sizes.ram;
  const moved = elsewhere.reduce((sum, { bytes }) => sum + bytes, 0);
  const ram = arena - moved + variables + stack + loaded;
  return renderPairs([
    ['flash', `${formatBytes(sizes.image)} (${share(sizes.image, flashBytes)})`],
    ['  weights', formatBytes(sizes.weights)],
    ['  code', formatBytes(sizes.code)],
    ['  other', formatBytes(sizes.other)],
    ['RAM', `${formatBytes(ram)} (${share(ram, ramBytes)})`],
    ['  arena', formatBytes(arena - moved)],
    ['  static', formatBytes(variables)],
    ['  stack, reserved', formatBytes(stack)],
    ...(loaded > 0 ? [['  code and constants', formatBytes(loaded)] as const] : []),
    ...elsewhere.map(
      ({ name, bytes }) => [name.toUpperCase(), `${formatBytes(bytes)} of the arena`] as const,
    ),
  ]);
}
