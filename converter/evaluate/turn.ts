/** Gives the rest of the program (signals, timers) its turn between two pieces of long work. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
