/** 1234567 as "1,234,567". */
export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Bytes with the exact count below 10 KiB, rounded to 0.1 KiB or MiB above. */
export function formatBytes(bytes: number): string {
  if (bytes < 10_240) return `${formatCount(bytes)} B`;
  if (bytes < 1_048_576) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(2)} MiB`;
}

/** Microseconds in the unit that reads best. */
export function formatMicroseconds(us: number): string {
  if (us < 1000) return `${us.toFixed(us < 10 ? 2 : 1)} us`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 2 : 1)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}

/** A share of one as a percentage with two decimals. */
export function formatPercent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** A layer's name for a table: converters join the names of all that they fused, of which the first one will do. */
export function formatLayer(name: string): string {
  const [first = name, ...others] = name.split(';');
  return others.length === 0 ? name : `${first} +${others.length}`;
}

/** Time left or gone, to the second: "4 min 10 s". */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
