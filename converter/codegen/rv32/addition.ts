import type { KernelCall } from '../../ops/integer/kernel-call.ts';
import { parameter } from '../choice/accumulating-layer.ts';
import { type KernelChoice, portable } from '../choice/kernel.ts';
import { planAddition } from '../choice/plan-addition.ts';

/** The kernel for a call of add_s8; MUL keeps all bits of a product. */
export function chooseAddition(call: KernelCall): KernelChoice {
  const limits = { low: parameter(call, 'low'), high: parameter(call, 'high') };
  const planned = planAddition(call, 0, limits);
  if (!planned.line) return portable(planned.obstacle);
  const { line, count } = planned;
  const { a, b, offset, shift } = line;
  return {
    kernel: {
      kernel: 'rv_add_s8',
      header: 'tml_rv_add.h',
      struct: 'tml_rv_add_s8',
      params: { a_multiplier: a, b_multiplier: b, offset, count, shift, ...limits },
      functions: [],
      walk: 'element',
    },
    form: 'one line, all pairs compared',
    declined: [],
  };
}
