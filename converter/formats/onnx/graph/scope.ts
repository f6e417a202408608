import { duplicateValue, undefinedValue } from '../errors.ts';

/** Longest part of a name that is repeated in derived names, so that long names cannot multiply. */
const longestBase = 200;

/** Hands out names that are unique in the whole graph. */
export class Names {
  private readonly taken = new Set<string>();
  private readonly next = new Map<string, number>();

  /** `name` itself, which must be free. */
  claim(name: string): string {
    if (this.taken.has(name)) throw duplicateValue(name);
    this.taken.add(name);
    return name;
  }

  /** A free name that starts like `base`. */
  fresh(base: string): string {
    if (!this.taken.has(base)) return this.claim(base);
    const stem = base.slice(0, longestBase);
    let count = this.next.get(stem) ?? 0;
    let name: string;
    do {
      count++;
      name = `${stem}_${count}`;
    } while (this.taken.has(name));
    this.next.set(stem, count);
    return this.claim(name);
  }
}

/** What the names in one graph, function body or branch stand for. */
export class Scope {
  private readonly local = new Map<string, string>();
  private readonly parent: Scope | undefined;

  constructor(parent?: Scope) {
    this.parent = parent;
  }

  /** Throws E_ONNX_GRAPH when the scope has the name already (static single assignment). */
  define(name: string, meaning: string): void {
    if (this.local.has(name)) throw duplicateValue(name);
    this.local.set(name, meaning);
  }

  /** The meaning of a name here or in the scopes around. Throws E_ONNX_GRAPH when there is none. */
  resolve(name: string, reader: string): string {
    const meaning = this.find(name);
    if (meaning === undefined) throw undefinedValue(name, reader);
    return meaning;
  }

  find(name: string): string | undefined {
    for (let scope: Scope | undefined = this; scope; scope = scope.parent) {
      const meaning = scope.local.get(name);
      if (meaning !== undefined) return meaning;
    }
    return undefined;
  }
}
