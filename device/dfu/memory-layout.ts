import { memoryLayoutUnreadable } from '../errors.ts';

/** A run of equal pages as a DfuSe device describes them. */
export interface LayoutSector {
  readonly address: number;
  readonly bytes: number;
  readonly readable: boolean;
  readonly erasable: boolean;
  readonly writable: boolean;
}

const longestText = 512;
const mostSectors = 4096;
const units: Readonly<Record<string, number>> = { ' ': 1, B: 1, K: 1024, M: 1024 * 1024 };

/** `04*016Kg`: count, size, unit, and a letter whose low bits are readable, erasable, writable. */
function sectorsOf(run: string, address: number): LayoutSector[] | undefined {
  const match = /^(\d{1,4})\*(\d{1,4})([ BKM])([a-g])$/.exec(run);
  if (!match) return undefined;
  const count = Number(match[1]);
  const bytes = Number(match[2]) * units[match[3]!]!;
  const rights = match[4]!.charCodeAt(0) & 7;
  if (count > mostSectors || bytes === 0) return undefined;
  return Array.from({ length: count }, (_, i) => ({
    address: address + i * bytes,
    bytes,
    readable: (rights & 1) !== 0,
    erasable: (rights & 2) !== 0,
    writable: (rights & 4) !== 0,
  }));
}

/**
 * Sectors from the interface string of a DfuSe device, such as `@Internal Flash  /0x08000000/04*016Kg,01*064Kg`
 * (UM0424, section 4.3.2). The string comes from the device and is not trusted. Errors: E_DFU_LAYOUT.
 */
export function parseMemoryLayout(text: string, device: string): LayoutSector[] {
  const fail = () => memoryLayoutUnreadable(device, text);
  const [name, ...parts] = text.slice(0, longestText).split('/');
  if (!name?.startsWith('@') || parts.length === 0 || parts.length % 2 !== 0) throw fail();
  const sectors: LayoutSector[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    if (!/^0x[0-9a-fA-F]{8}$/.test(parts[i]!.trim())) throw fail();
    let address = Number.parseInt(parts[i]!, 16);
    for (const run of parts[i + 1]!.split(',')) {
      const found = sectorsOf(run.trimStart(), address);
      if (!found || sectors.length + found.length > mostSectors) throw fail();
      sectors.push(...found);
      address += found.length * (found[0]?.bytes ?? 0);
    }
  }
  return sectors;
}
