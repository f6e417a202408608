import type { Names } from '../../../ir/names.ts';
import { duplicateValue, undefinedValue } from '../errors.ts';

/** `name` itself, which nobody may have yet. */
export function claim(names: Names, name: string): string {
  if (!names.take(name)) throw duplicateValue(name);
  return name;
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
