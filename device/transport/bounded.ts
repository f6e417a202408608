export interface Bound {
  readonly timeoutMs: number;
  /** The error when time runs out. */
  readonly late: () => unknown;
  readonly signal?: AbortSignal | undefined;
  /** Runs once at the end, whatever the end is. */
  readonly cleanup?: () => void;
}

/** Waits for a callback, but not longer than the bound says and not past an abort. Later callbacks are ignored. */
export function bounded<T>(
  bound: Bound,
  start: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    bound.signal?.throwIfAborted();
    let over = false;
    const settle = (end: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      bound.signal?.removeEventListener('abort', abort);
      bound.cleanup?.();
      end();
    };
    const abort = () => settle(() => reject(bound.signal?.reason));
    const timer = setTimeout(() => settle(() => reject(bound.late())), bound.timeoutMs);
    bound.signal?.addEventListener('abort', abort, { once: true });
    start(
      (value) => settle(() => resolve(value)),
      (reason) => settle(() => reject(reason)),
    );
  });
}
