import { TinymlError } from '../../common/tinyml-error.ts';

export function cyclesNotModelled(board: string): TinymlError {
  return new TinymlError({
    code: 'E_CYCLES_NOT_MODELLED',
    exit: 1,
    what: `cycles are modelled from what an emulated Cortex-M4 executes; ${board} is no such board`,
    hint: 'use --board virtual-stm32f405; a real board measures its own cycles without --cycles',
  });
}

export function traceIncomplete(board: string): TinymlError {
  return new TinymlError({
    code: 'E_TRACE',
    exit: 2,
    what: `the log of what ${board} executed shows no inference, so no cycles can be modelled`,
    hint: 'QEMU must be built with its disassembler (Debian and Ubuntu packages are)',
  });
}

export function notCounted(board: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_COUNTED',
    exit: 1,
    what: `board ${board} has no exact count of instructions`,
    hint: 'pass --board with an emulated board, or --target macs=SHARE',
  });
}
