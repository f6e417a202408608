const longest = 80;

/** A user's name for a message: in quotes, control characters escaped, cut when very long. */
export function quoted(name: string): string {
  const cut = name.length > longest ? `${name.slice(0, longest)}...` : name;
  return JSON.stringify(cut);
}

/** "1 node", "2 nodes". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(',')}]`;
}
