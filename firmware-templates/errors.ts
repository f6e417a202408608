import { TinymlError } from '../common/tinyml-error.ts';

/** The linker's output cannot be read: the tool is not the one that was expected, or the file is damaged. */
export function badElf(what: string): TinymlError {
  return new TinymlError({
    code: 'E_BAD_ELF',
    exit: 2,
    what: `firmware.elf: ${what}`,
    hint: 'tinyml doctor checks the compiler; build again',
  });
}
