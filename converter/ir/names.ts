/** Longest part of a name that is repeated in derived names, so that long names cannot multiply. */
const longestStem = 200;

/** Hands out names that are unique among those it knows; the same requests give the same names. */
export class Names {
  private readonly taken: Set<string>;
  private readonly next = new Map<string, number>();

  constructor(taken: Iterable<string> = []) {
    this.taken = new Set(taken);
  }

  /** Takes exactly this name; false when somebody has it. */
  take(name: string): boolean {
    if (this.taken.has(name)) return false;
    this.taken.add(name);
    return true;
  }

  /** A free name that starts like `base`: `base` itself if possible, else with a number behind it. */
  fresh(base: string): string {
    if (this.take(base)) return base;
    const stem = base.slice(0, longestStem);
    let count = this.next.get(stem) ?? 0;
    let name: string;
    do {
      count++;
      name = `${stem}_${count}`;
    } while (!this.take(name));
    this.next.set(stem, count);
    return name;
  }
}
