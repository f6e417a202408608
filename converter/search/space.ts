import { indexBelow, type Random } from './random.ts';

export type KnobValue = string | number | boolean;

/** One thing that can be chosen, and what it can be. */
export interface Knob {
  readonly name: string;
  readonly values: readonly KnobValue[];
  /** Neighbours in `values` behave alike, as numbers do; otherwise every value is a kind of its own. */
  readonly ordered: boolean;
  /** What is taken where nobody searches: the value of the first trial. */
  readonly fallback: KnobValue;
  /** The knob exists only where an earlier one has one of these values. */
  readonly when?: { readonly knob: string; readonly is: readonly KnobValue[] };
}

/** Knobs in an order in which none comes before those it depends on. */
export type Space = readonly Knob[];

/** A value for every knob that exists under it, and for no other. */
export type Assignment = Readonly<Record<string, KnobValue>>;

export function isActive(knob: Knob, chosen: Assignment): boolean {
  if (!knob.when) return true;
  const value = chosen[knob.when.knob];
  return value !== undefined && knob.when.is.includes(value);
}

/** Goes through the knobs in order and asks for the value of each that exists. */
export function assign(space: Space, choose: (knob: Knob) => KnobValue): Assignment {
  const chosen: Record<string, KnobValue> = {};
  for (const knob of space) if (isActive(knob, chosen)) chosen[knob.name] = choose(knob);
  return chosen;
}

export function defaultAssignment(space: Space): Assignment {
  return assign(space, (knob) => knob.fallback);
}

export function randomAssignment(space: Space, random: Random): Assignment {
  return assign(space, (knob) => knob.values[indexBelow(random, knob.values.length)]!);
}

/** Equal for equal assignments of one space, and for no others. */
export function keyOf(space: Space, assignment: Assignment): string {
  return JSON.stringify(space.map((knob) => assignment[knob.name] ?? null));
}

/** Every assignment of a space, one after another. */
export function* everyAssignment(space: Space, chosen: Assignment = {}): Generator<Assignment> {
  const [knob, ...rest] = space;
  if (!knob) yield chosen;
  else if (!isActive(knob, chosen)) yield* everyAssignment(rest, chosen);
  else for (const value of knob.values) yield* everyAssignment(rest, { ...chosen, [knob.name]: value });
}

/** How many assignments there are, counted no further than `limit`. */
export function countAssignments(space: Space, limit: number): number {
  let count = 0;
  for (const _ of everyAssignment(space)) if (++count >= limit) break;
  return count;
}
