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

/** A chip that programs of ours are written to, but for which there is no start-up code here. */
export function noPort(family: string): TinymlError {
  return new TinymlError({
    code: 'E_NO_PORT',
    exit: 1,
    what: `there is no firmware of tinyml's own for the ${family.toUpperCase()}`,
    hint: 'tinyml build --project esp-idf makes an ESP-IDF project for it (docs/esp32.md)',
  });
}
