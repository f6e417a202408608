import type { Context } from '../../cli/context.ts';
import type { Lifetime } from '../../cli/lifetime.ts';
import { makeStyle } from '../../cli/report/style.ts';

/** A lifetime that nothing ends. */
export const quietLifetime: Lifetime = {
  signal: new AbortController().signal,
  onEnd: () => () => {},
  breathe: async () => {},
  end: async () => {},
  interruptedWith: () => undefined,
};

/** A context for code that is called without the command line; what it says is kept. */
export function quietContext(): Context & { readonly said: string[] } {
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  return {
    said,
    lifetime: quietLifetime,
    output: {
      flags: { json: false, quiet: false, verbose: false, noColor: true },
      style: makeStyle(false),
      result: (_, text) => say(text()),
      note: say,
      warn: say,
      detail: () => {},
      step: (_, run) => run(() => {}),
    },
  };
}
