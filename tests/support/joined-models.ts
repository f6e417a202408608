import { type AotModel, generateAot } from '../../converter/codegen/aot.ts';
import type { AotOptions } from '../../converter/codegen/aot-options.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { kernelTexts, provenance } from './model-options.ts';

/** A graph to generate C for, together with others. */
export interface JoinedJob {
  readonly graph: Graph;
  readonly optimize?: 'speed' | 'size';
  readonly machine?: AotOptions['machine'];
  /** Sizes of the memories to use; one of any size when absent. */
  readonly regions?: AotOptions['regions'];
  /** Codes weights in flash; the arena may grow to so many bytes for that. */
  readonly codedIn?: number;
}

export interface JoinedModels {
  /** C of the units, each of which holds many models, `p<i>_info` for the job at position i. */
  readonly units: readonly string[];
  readonly headers: ReadonlyMap<string, string>;
  readonly models: readonly AotModel[];
}

/** File-scope names of a generated model, which differ between the models of one unit. */
const ownNames = /(?<![.\w])(layer_\d+|tml_w_\w+|tml_arena(?:_\d+)?|inputs|outputs|layers)\b/g;

/** Functions that models with the same kernels have in common: of macros, and kernels compiled once. */
const commonParts = /^(?:TML_(?:CM|RV)_\w+\(.*\)|TML_SHARED void shared_[^}]*\n\})$/gm;

class Unit {
  text = '';
  private readonly known = new Set<string>();

  add(model: string, prefix: string): void {
    const once = model.replace(commonParts, (part) => {
      if (this.known.has(part)) return '';
      this.known.add(part);
      return part;
    });
    this.text += once.replace(ownNames, `${prefix}_$1`);
  }
}

/** Generates C for every job and joins it into so many units: most of a compilation is its start and the headers. */
export function joinModels(jobs: readonly JoinedJob[], count: number): JoinedModels {
  const units = Array.from({ length: Math.min(count, jobs.length) }, () => new Unit());
  const headers = new Map<string, string>();
  const models = jobs.map(({ graph, optimize = 'speed', machine, regions, codedIn }, i) => {
    const options = { ...provenance, name: `p${i}`, optimize, kernels: kernelTexts };
    const model = generateAot(graph, {
      ...options,
      ...(machine ? { machine } : {}),
      ...(regions ? { regions } : {}),
      ...(codedIn === undefined ? {} : { weights: 'coded' as const, arenaLimit: codedIn }),
    });
    for (const [name, text] of model.files) {
      if (name === `p${i}.c`) units[i % units.length]!.add(text, `p${i}`);
      else if (name.endsWith('.h')) headers.set(name, text);
    }
    return model;
  });
  return { units: units.map(({ text }) => text), headers, models };
}
