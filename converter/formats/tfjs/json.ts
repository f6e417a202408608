import { damagedAt } from './errors.ts';

/** JSON of unknown content. */
export type Json = unknown;
export type JsonObject = Readonly<Record<string, Json>>;

export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Fields of an object that came from a file, each checked when it is read. `place` is for messages. */
export class Fields {
  readonly place: string;
  readonly content: JsonObject;

  constructor(place: string, content: Json) {
    if (!isObject(content)) throw damagedAt(place, 'is not an object');
    this.place = place;
    this.content = content;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.content, key) && this.content[key] !== null && this.content[key] !== undefined;
  }

  raw(key: string): Json {
    return Object.hasOwn(this.content, key) ? this.content[key] : undefined;
  }

  keys(): string[] {
    return Object.keys(this.content);
  }

  object(key: string): Fields {
    return new Fields(`${this.place}.${key}`, this.raw(key));
  }

  list(key: string): readonly Json[] {
    const value = this.raw(key);
    if (!Array.isArray(value)) throw this.wrong(key, 'is not a list');
    return value;
  }

  text(key: string, fallback?: string): string {
    const value = this.raw(key);
    if (value === undefined || value === null) {
      if (fallback !== undefined) return fallback;
      throw this.wrong(key, 'is missing');
    }
    if (typeof value !== 'string' || value.length > 1000) throw this.wrong(key, 'is not a text');
    return value;
  }

  number(key: string, fallback?: number): number {
    const value = this.raw(key);
    if ((value === undefined || value === null) && fallback !== undefined) return fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.wrong(key, 'is not a number');
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.raw(key);
    if (value === undefined || value === null) return fallback;
    if (typeof value !== 'boolean') throw this.wrong(key, 'is neither true nor false');
    return value;
  }

  /** Whole numbers; one number stands for `count` of them. */
  integers(key: string, count?: number, fallback?: readonly number[]): readonly number[] {
    const value = this.raw(key);
    if ((value === undefined || value === null) && fallback) return fallback;
    const list: readonly Json[] =
      typeof value === 'number'
        ? new Array<number>(count ?? 1).fill(value)
        : Array.isArray(value)
          ? value
          : [undefined];
    const whole = list.every((item) => Number.isSafeInteger(item));
    if (!whole || list.length > 32 || (count !== undefined && list.length !== count)) {
      throw this.wrong(key, `is not ${count ?? 'a list of'} whole numbers`);
    }
    return list as readonly number[];
  }

  /** Sizes of a shape; null, as tfjs writes an open one, is -1. */
  sizes(key: string): readonly number[] {
    return new Fields(this.place, { sizes: this.list(key).map((size) => size ?? -1) }).integers('sizes');
  }

  wrong(key: string, what: string) {
    return damagedAt(`${this.place}.${key}`, what);
  }
}
