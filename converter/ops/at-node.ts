import { TinymlError } from '../../common/tinyml-error.ts';

/** Runs `work` and puts the user's own name of the layer in front of what it complains about. */
export function atNode<T>(origin: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TinymlError)) throw error;
    const { code, exit, measure, hint } = error;
    const what = `node ${JSON.stringify(origin)}: ${error.message}`;
    throw new TinymlError({ code, exit, what, measure, ...(hint === undefined ? {} : { hint }) });
  }
}
