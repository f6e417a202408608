import { type Elf, readElf } from './elf.ts';

/** Bytes of an image, as the size table shows them. */
export interface ImageSizes {
  /** Flash: everything that is written to the chip. */
  readonly image: number;
  /** Flash: the model's constants, symbols `tml_w_*`. */
  readonly weights: number;
  /** Flash: instructions, with the vector table and the literals between functions. */
  readonly code: number;
  /** Flash: other constants, and the start values of variables. */
  readonly other: number;
  readonly ram: {
    /** The model's working memory, symbols `tml_arena`, `tml_arena_1` and so on. */
    readonly arena: number;
    /** How much of it is in memories of its own. */
    readonly elsewhere: readonly { readonly name: string; readonly bytes: number }[];
    /** Variables beside the arena. */
    readonly static: number;
    /** Reserved for the stack. */
    readonly stack: number;
    /** Code and constants that a boot loader copies there; 0 where they stay in flash. */
    readonly loaded: number;
  };
}

/** What sections for arenas in further memories are named after (render/linker-script.ts). */
const ARENA_SECTION = '.arena_';

const total = (items: readonly { bytes: number }[]) => items.reduce((sum, { bytes }) => sum + bytes, 0);

/** Sizes of the named objects; an object with two names counts once. */
function objectBytes(elf: Elf, matches: (name: string) => boolean): number {
  const byAddress = new Map<number, number>();
  for (const { name, kind, address, bytes } of elf.symbols) {
    if (kind === 'object' && matches(name))
      byAddress.set(address, Math.max(bytes, byAddress.get(address) ?? 0));
  }
  return [...byAddress.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Where the flash and RAM of a linked firmware go, from the bytes of firmware.elf. Throws E_BAD_ELF. */
export function elfSizes(bytes: Uint8Array): ImageSizes {
  const elf = readElf(bytes);
  const allocated = elf.sections.filter((section) => section.allocated);
  const image = total(allocated.filter(({ loaded }) => loaded));
  const weights = objectBytes(elf, (name) => name.startsWith('tml_w_'));
  const code = total(allocated.filter(({ loaded, executable }) => loaded && executable));
  const stack = total(allocated.filter(({ name }) => name === '.stack'));
  const arena = objectBytes(elf, (name) => /^tml_arena(_\d+)?$/.test(name));
  const variables = total(
    allocated.filter(({ name, writable }) => writable && name !== '.stack' && name !== '.shadow'),
  );
  const elsewhere = allocated
    .filter(({ name, bytes: size }) => name.startsWith(ARENA_SECTION) && size > 0)
    .map(({ name, bytes: size }) => ({ name: name.slice(ARENA_SECTION.length), bytes: size }));
  const loaded = elf.symbols.find(({ name }) => name === 'tml_loaded_bytes')?.address ?? 0;
  return {
    image,
    weights,
    code,
    other: image - weights - code,
    ram: { arena, elsewhere, static: variables - arena, stack, loaded },
  };
}
