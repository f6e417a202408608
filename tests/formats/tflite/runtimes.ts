import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOf } from '../../../converter/ir/tensor.ts';
import type { TensorData } from '../../../converter/ir/types.ts';
import { runOracle } from '../../support/oracle.ts';

export interface RuntimeJob {
  readonly model: Uint8Array;
  /** One array per input of the model. */
  readonly inputs: readonly TensorData[];
}

export interface RuntimeAnswer {
  /** Bytes of each output; absent when the runtime refused the model. */
  readonly outputs: readonly Uint8Array[];
  /** Names of inputs and outputs as the runtime sees them. */
  readonly names: readonly string[];
  readonly error?: string;
}

const program = `
import json, os, sys
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import numpy as np
folder, engine = sys.argv[1], sys.argv[2]

def litert(path, read):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    it = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, num_threads=1)
    it.allocate_tensors()
    for k, d in enumerate(it.get_input_details()):
        it.set_tensor(d['index'], read(k, d['dtype']).reshape(d['shape']))
    it.invoke()
    out = it.get_output_details()
    return [it.get_tensor(d['index']) for d in out], [d['name'] for d in it.get_input_details() + out]

def tflm(path, read):
    from tflite_micro.python.tflite_micro import runtime
    it = runtime.Interpreter.from_file(path)
    for k in range(sum(name.startswith(f'{os.path.basename(path)[:-7]}_') for name in os.listdir(folder) if name.endswith('.in'))):
        d = it.get_input_details(k)
        it.set_input(read(k, d['dtype']).reshape(d['shape']), k)
    it.invoke()
    return [it.get_output(0)], []

answers = []
for i in range(int(sys.argv[3])):
    path = f'{folder}/{i}.tflite'
    read = lambda k, t: np.fromfile(f'{folder}/{i}_{k}.in', dtype=t)
    try:
        outputs, names = (litert if engine == 'litert' else tflm)(path, read)
        for k, o in enumerate(outputs): np.ascontiguousarray(o).tofile(f'{folder}/{i}_{k}.out')
        answers.append({'count': len(outputs), 'names': names})
    except Exception as e:
        answers.append({'count': 0, 'names': [], 'error': str(e)[:500]})
with open(f'{folder}/answers.json', 'w') as f: json.dump(answers, f)
`;

interface RawAnswer {
  readonly count: number;
  readonly names: readonly string[];
  readonly error?: string;
}

/** Runs each model in LiteRT's default kernels without delegate, or in TFLM; answers stand in the jobs' order. */
export function runRuntime(
  python: string,
  engine: 'litert' | 'tflm',
  jobs: readonly RuntimeJob[],
): RuntimeAnswer[] {
  const folder = mkdtempSync(join(tmpdir(), 'tinyml-runtime-'));
  try {
    for (const [i, { model, inputs }] of jobs.entries()) {
      writeFileSync(join(folder, `${i}.tflite`), model);
      for (const [k, data] of inputs.entries()) writeFileSync(join(folder, `${i}_${k}.in`), bytesOf(data));
    }
    runOracle(python, program, [folder, engine, String(jobs.length)]);
    const answers = JSON.parse(readFileSync(join(folder, 'answers.json'), 'utf8')) as RawAnswer[];
    return answers.map(({ count, names, error }, i) => {
      const outputs = Array.from(
        { length: count },
        (_, k) => new Uint8Array(readFileSync(join(folder, `${i}_${k}.out`))),
      );
      return { outputs, names, ...(error === undefined ? {} : { error }) };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether this Python also has TFLM's interpreter (PyPI `tflite-micro`). */
export function hasTflm(python: string): boolean {
  try {
    runOracle(python, 'from tflite_micro.python.tflite_micro import runtime');
    return true;
  } catch {
    return false;
  }
}
