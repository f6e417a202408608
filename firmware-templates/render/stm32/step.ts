/** A register: its name in the reference manual, and where it is. */
export interface Register {
  readonly name: string;
  readonly address: number;
}

/**
 * One step of a chip's start-up, as port/stm32 performs it: write the bits of `mask`, or wait (for so long only) until
 * they are `value`.
 */
export interface Step {
  readonly kind: 'set' | 'wait' | 'set-unless-revision-a' | 'pause';
  readonly register: Register;
  readonly mask: number;
  readonly value: number;
  readonly note: string;
}

const ALL = 0xffffffff;

/** The registers of a peripheral by name, from their offsets. */
export function registersAt<Name extends string>(
  peripheral: string,
  base: number,
  offsets: Readonly<Record<Name, number>>,
): Readonly<Record<Name, Register>> {
  const entries = Object.entries<number>(offsets).map(([name, offset]) => [
    name,
    { name: `${peripheral}_${name}`, address: base + offset },
  ]);
  return Object.fromEntries(entries);
}

/** Writes a field: `mask` and `value` are in place already. */
export function field(register: Register, mask: number, value: number, note: string): Step {
  return { kind: 'set', register, mask: mask >>> 0, value: value >>> 0, note };
}

export function setBits(register: Register, bits: number, note: string): Step {
  return field(register, bits, bits, note);
}

export function clearBits(register: Register, bits: number, note: string): Step {
  return field(register, bits, 0, note);
}

/** Writes the whole register. */
export function write(register: Register, value: number, note: string): Step {
  return field(register, ALL, value, note);
}

export function waitFor(register: Register, mask: number, value: number, note: string): Step {
  return { kind: 'wait', register, mask: mask >>> 0, value: value >>> 0, note };
}

export function waitForBits(register: Register, bits: number, note: string): Step {
  return waitFor(register, bits, bits, note);
}

export function unlessRevisionA(step: Step): Step {
  return { ...step, kind: 'set-unless-revision-a' };
}

/** Some microseconds at any clock: loops of a few cycles each. */
export function pause(loops: number, note: string): Step {
  return { kind: 'pause', register: { name: '', address: 0 }, mask: 0, value: loops, note };
}

/**
 * The same with writes to one register put together where the first of them stands, if they are about different bits or
 * say the same. For steps whose order does not matter beyond what is switched on first.
 */
export function merged(steps: readonly Step[]): Step[] {
  const result: Step[] = [];
  for (const step of steps) {
    const index = result.findIndex(
      ({ kind, register, mask, value }) =>
        kind === 'set' &&
        step.kind === 'set' &&
        register.address === step.register.address &&
        ((mask & step.mask) === 0 || (mask === step.mask && value === step.value)),
    );
    if (index < 0) result.push(step);
    else result[index] = both(result[index]!, step);
  }
  return result;
}

function both(one: Step, other: Step): Step {
  const note = one.note.split(', ').includes(other.note) ? one.note : `${one.note}, ${other.note}`;
  return {
    ...one,
    mask: (one.mask | other.mask) >>> 0,
    value: (one.value | other.value) >>> 0,
    note,
  };
}

const macros = {
  set: 'TML_SET',
  wait: 'TML_WAIT',
  'set-unless-revision-a': 'TML_SET_UNLESS_REVISION_A',
} as const;

const hex = (value: number) => `0x${value.toString(16).toUpperCase().padStart(8, '0')}u`;

function stepText({ kind, register, mask, value, note }: Step): string {
  if (kind === 'pause') return `TML_PAUSE(${value}u), /* ${note} */`;
  return `${macros[kind]}(${hex(register.address)}, ${hex(mask)}, ${hex(value)}), /* ${register.name}: ${note} */`;
}

/** The steps as the value of a macro, one a line. */
export function stepsText(steps: readonly Step[]): string {
  return ['\\', ...steps.map((step, i) => `\t${stepText(step)}${i < steps.length - 1 ? ' \\' : ''}`)].join(
    '\n',
  );
}
