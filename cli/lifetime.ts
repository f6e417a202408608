type Cleanup = () => void | Promise<void>;
export type Interruption = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const exitCodes: Readonly<Record<Interruption, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** The longest that cleaning up may take before the process ends regardless. */
const graceMs = 800;

/** What a command owns while it runs: the signal that it should stop, and what must be undone when it ends. */
export interface Lifetime {
  /** Aborted at the first Ctrl-C, termination or hang-up. */
  readonly signal: AbortSignal;
  /** Registers something to close or delete when the command ends in any way; the result withdraws it. */
  onEnd(cleanup: Cleanup): () => void;
  /** Gives signals a turn between two pieces of long computation; throws when the command was interrupted. */
  breathe(): Promise<void>;
  /** Runs what is registered, last first, for at most 0.8 s. */
  end(): Promise<void>;
  /** Exit code of the interruption, undefined when there was none. */
  interruptedWith(): number | undefined;
}

/** Starts listening for signals; a second one ends the process at once. */
export function startLifetime(): Lifetime {
  const controller = new AbortController();
  const cleanups = new Set<Cleanup>();
  let interruption: Interruption | undefined;

  async function end(): Promise<void> {
    const pending = [...cleanups].reverse();
    cleanups.clear();
    const timeUp = new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
    await Promise.race([runAll(pending), timeUp]);
  }

  function interrupt(name: Interruption): void {
    if (interruption !== undefined) process.exit(exitCodes[interruption]);
    interruption = name;
    controller.abort();
    // The command unwinds by itself as a rule; one that cannot is ended after the clean-up.
    setTimeout(() => void end().then(() => process.exit(exitCodes[name])), graceMs / 8);
  }

  for (const name of Object.keys(exitCodes) as Interruption[]) process.on(name, () => interrupt(name));
  return {
    signal: controller.signal,
    onEnd(cleanup) {
      cleanups.add(cleanup);
      return () => void cleanups.delete(cleanup);
    },
    async breathe() {
      await new Promise((resolve) => setImmediate(resolve));
      controller.signal.throwIfAborted();
    },
    end,
    interruptedWith: () => (interruption === undefined ? undefined : exitCodes[interruption]),
  };
}

/** A part of a command with an end of its own; what it owns is undone then, or when the command ends before. */
export function partOf(whole: Lifetime): Lifetime {
  const cleanups = new Set<Cleanup>();
  const end = async () => {
    const pending = [...cleanups].reverse();
    cleanups.clear();
    withdraw();
    await runAll(pending);
  };
  const withdraw = whole.onEnd(end);
  return {
    ...whole,
    onEnd(cleanup) {
      cleanups.add(cleanup);
      return () => void cleanups.delete(cleanup);
    },
    end,
  };
}

async function runAll(cleanups: readonly Cleanup[]): Promise<void> {
  for (const cleanup of cleanups) {
    try {
      await cleanup();
    } catch {
      // One failed clean-up must not keep the others from running.
    }
  }
}
