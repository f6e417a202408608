/** A run of flash sectors of one size, as board descriptions list them from the start of the flash. */
export interface SectorRun {
  readonly count: number;
  readonly bytes: number;
  /** Number of the first sector, where it does not follow the last one before: a second bank may begin at 256. */
  readonly first?: number;
}

export interface Sector {
  /** The number that the chip's erase command wants. */
  readonly index: number;
  readonly address: number;
  readonly bytes: number;
}

const KIB = 1024;

/** RM0090 table 5: the 1 MiB flash of an STM32F405, F407, F415, F417. */
export const f405Sectors: readonly SectorRun[] = [
  { count: 4, bytes: 16 * KIB },
  { count: 1, bytes: 64 * KIB },
  { count: 7, bytes: 128 * KIB },
];

/** The sectors that lie wholly within `flashBytes`. */
export function expandSectors(
  runs: readonly SectorRun[],
  flashAddress: number,
  flashBytes: number,
): Sector[] {
  const sectors: Sector[] = [];
  let offset = 0;
  let index = 0;
  for (const run of runs) {
    index = run.first ?? index;
    for (let i = 0; i < run.count && offset + run.bytes <= flashBytes && run.bytes > 0; i++) {
      sectors.push({ index: index++, address: flashAddress + offset, bytes: run.bytes });
      offset += run.bytes;
    }
  }
  return sectors;
}
