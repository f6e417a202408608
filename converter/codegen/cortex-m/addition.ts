import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { type KernelChoice, portable } from '../choice/kernel.ts';
import { planAddition } from '../choice/plan-addition.ts';
import { assemblyFunction } from './assembly-function.ts';

/** SMLAW drops 16 bits of a stored value in the upper byte of a half word; SSAT saturates to 8. */
const smlawBits = 8;
const ssatRange = { low: -128, high: 127 };

/** The kernel for a call of add_s8. */
export function chooseAddition(call: KernelCall): KernelChoice {
  const planned = planAddition(call, smlawBits, ssatRange);
  if (!planned.line) return portable(planned.obstacle);
  const { line, count } = planned;
  return {
    kernel: {
      kernel: 'cm_add_s8',
      header: 'tml_cm_add.h',
      struct: 'tml_cm_add_s8',
      params: { count, a_multiplier: line.a, b_multiplier: line.b, offset: line.offset, shift: line.shift },
      functions: [count < 4 ? undefined : assemblyFunction('add', [line.shift])],
      walk: 'element',
    },
    form: 'one line, all pairs compared',
    declined: [],
  };
}
