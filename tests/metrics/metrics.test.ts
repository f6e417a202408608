import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Task } from '../../converter/metrics/labels.ts';
import { metricFor, metricNamed, metricNames, scoreBy } from '../../converter/metrics/metric.ts';
import { seededRandom } from '../../converter/search/random.ts';
import { codeOf } from '../support/hostile.ts';
import { oraclePython, runOracle } from '../support/oracle.ts';

const oracle = oraclePython();

interface Problem {
  readonly task: Task;
  readonly outputs: number[];
  readonly labels: number[];
  readonly size: number;
}

/** Scores with ties, classes that never occur, and a class that is never predicted. */
function problem(task: Task, seed: number): Problem {
  const random = seededRandom(seed);
  const n = 40;
  const size = task === 'classification' ? 5 : task === 'regression' ? 3 : 1;
  const outputs = Array.from({ length: n * size }, () => Math.round(random() * 8) / 8);
  const regression = Array.from({ length: n * size }, () => random() * 3 - 1);
  const classes = Array.from({ length: n }, () => Math.floor(random() * (task === 'binary' ? 2 : 4)));
  return { task, outputs, labels: task === 'regression' ? regression : classes, size };
}

const python = `
import json, sys, warnings
import numpy as np
from sklearn import metrics as m
warnings.simplefilter('ignore')
results = []
for p in json.load(open(sys.argv[1])):
    y = np.array(p['labels']); n = 40
    o = np.array(p['outputs']).reshape(n, -1)
    if p['task'] == 'regression':
        y = y.reshape(n, -1)
        r = {'mse': m.mean_squared_error(y, o), 'mae': m.mean_absolute_error(y, o), 'r2': m.r2_score(y, o)}
        r['rmse'] = r['mse'] ** 0.5
    elif p['task'] == 'binary':
        c = (o[:, 0] > 0.5).astype(int)
        r = {'auc': m.roc_auc_score(y, o[:, 0]), 'accuracy': m.accuracy_score(y, c), 'f1': m.f1_score(y, c),
             'precision': m.precision_score(y, c), 'recall': m.recall_score(y, c), 'balanced-accuracy': m.balanced_accuracy_score(y, c)}
    else:
        c = o.argmax(1)
        r = {'top-1': m.accuracy_score(y, c), 'accuracy': m.accuracy_score(y, c), 'f1': m.f1_score(y, c, average='macro'),
             'precision': m.precision_score(y, c, average='macro', zero_division=0), 'recall': m.recall_score(y, c, average='macro', zero_division=0),
             'balanced-accuracy': m.balanced_accuracy_score(y, c),
             'auc': float(np.mean([m.roc_auc_score(y == k, o[:, k]) for k in np.unique(y)]))}
    results.append({k: float(v) for k, v in r.items()})
print(json.dumps(results))
`;

function judge(problems: readonly Problem[]): Record<string, number>[] {
  const folder = mkdtempSync(join(tmpdir(), 'metrics-'));
  try {
    writeFileSync(join(folder, 'problems.json'), JSON.stringify(problems));
    return JSON.parse(runOracle(oracle!, python, [join(folder, 'problems.json')]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('metrics', () => {
  test.skipIf(!oracle)('are those of scikit-learn', () => {
    const tasks: Task[] = ['classification', 'binary', 'regression'];
    const problems = tasks.flatMap((task) => Array.from({ length: 8 }, (_, seed) => problem(task, seed + 1)));
    const wanted = judge(problems);
    for (const [i, { task, outputs, labels, size }] of problems.entries()) {
      const shape = task === 'regression' ? [40, size] : [40];
      for (const [name, value] of Object.entries(wanted[i]!)) {
        const found = scoreBy(metricNamed(name), [], outputs, { data: labels, shape, task });
        expect(found.value, `${name} of ${task} ${i}`).toBeCloseTo(value, 10);
        expect(found.n).toBe(40);
      }
    }
  });

  test('a class among the k greatest outputs counts for top-k; the first of equals is greater', () => {
    const set = { outputs: [0.1, 0.5, 0.5, 0.2, 0.9, 0.9, 0.9, 0], labels: [2, 3] };
    const labels = { data: set.labels, shape: [2], task: 'classification' as const };
    const at = (name: string) => scoreBy(metricNamed(name), [], set.outputs, labels).value;
    expect(['top1', 'top2', 'top-3', 'top4'].map(at)).toEqual([0, 0.5, 0.5, 1]);
  });

  test('each task has a default, and metrics of others are refused with those that fit', () => {
    const names = (['classification', 'binary', 'anomaly', 'regression'] as const).map(
      (task) => metricFor(task, undefined).name,
    );
    expect(names).toEqual(['top-1', 'auc', 'reconstruction-auc', 'mse']);
    expect(codeOf(() => metricFor('classification', 'rmse'))).toBe('E_METRIC');
    expect(() => metricFor('regression', 'f1')).toThrow(/f1/);
  });

  test('names are found without dashes and in any case; others get the nearest', () => {
    for (const name of metricNames)
      expect(metricNamed(name.replaceAll('-', '').toUpperCase()).name).toBe(name);
    expect(metricNamed('topk').name).toBe('top-5');
    expect(codeOf(() => metricNamed('top0'))).toBe('E_USAGE');
    expect(codeOf(() => metricNamed('constructor'))).toBe('E_USAGE');
  });

  test('an area under the curve of a single class is refused, not NaN', () => {
    const labels = { data: [1, 1], shape: [2], task: 'binary' as const };
    expect(codeOf(() => scoreBy(metricNamed('auc'), [], [0.1, 0.2], labels))).toBe('E_METRIC');
  });
});
