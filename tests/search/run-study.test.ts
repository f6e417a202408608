import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lifetime } from '../../cli/lifetime.ts';
import type { Executor } from '../../cli/search/executor.ts';
import { runStudy, type StudyPlan } from '../../cli/search/run-study.ts';
import { openStudy, type Study, type StudySubject } from '../../cli/search/study-file.ts';
import type { Trial, TrialJob, TrialResult } from '../../cli/search/trial.ts';
import { seededRandom } from '../../converter/search/random.ts';
import { conditional } from './problems.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinyml-test-study-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plan = (trials: number): StudyPlan => ({
  space: conditional.space,
  sampler: 'tpe',
  goal: { quality: 'accuracy', limits: [{ measure: 'latency', value: 5 }] },
  seed: 3,
  trials,
  samples: 300,
});

const subject: StudySubject = {
  model: 'm',
  data: 'd',
  calib: 'c',
  train: null,
  board: 'b',
  seed: 3,
  version: '1',
  space: conditional.space,
};

const lifetime: Lifetime = {
  signal: new AbortController().signal,
  onEnd: () => () => {},
  breathe: async () => {},
  end: async () => {},
  interruptedWith: () => undefined,
};

const quiet = { onTrial() {}, onState() {} };
const never = new AbortController().signal;

function measured({ assignment, rungs }: TrialJob): TrialResult {
  const [value] = conditional.objectives(assignment);
  const quality = 1 / (1 + value!);
  return {
    state: 'measured',
    hash: JSON.stringify(assignment),
    optimize: 'speed',
    rungs: rungs.map(({ samples }) => ({ samples, quality, macs: 1, weightsBytes: 1, arenaBytes: 1 })),
    measures: { quality, latency: value!, instructions: null, ram: 1, flash: 1 },
  };
}

/** Does trials at random moments, so that they end in any order. */
function shuffling(width: number, seed: number, result: (job: TrialJob) => TrialResult = measured): Executor {
  const random = seededRandom(seed);
  return {
    width,
    async run(job) {
      for (let turns = Math.floor(random() * 12); turns > 0; turns--) await new Promise(setImmediate);
      return result(job);
    },
    close: async () => {},
  };
}

function open(name: string, of: Partial<StudySubject> = {}): Study {
  return openStudy(join(folder, name), { ...subject, ...of }, '0f0f0f0f', lifetime);
}

async function run(name: string, trials: number, executor: Executor): Promise<Trial[]> {
  const study = open(name);
  try {
    return await runStudy(plan(trials), study, executor, quiet, never);
  } finally {
    study.close();
  }
}

describe('a study', () => {
  test('tries the same however many trials run at a time, and whichever ends first', async () => {
    const one = await run('one.jsonl', 40, shuffling(1, 1));
    const two = await run('two.jsonl', 40, shuffling(2, 2));
    const four = await run('four.jsonl', 40, shuffling(4, 3));
    expect(one).toHaveLength(40);
    expect(two).toEqual(one);
    expect(four).toEqual(one);
  });

  test('goes on where it was cut off, at any byte, as if it had not been', async () => {
    const whole = await run('whole.jsonl', 24, shuffling(2, 4));
    const bytes = readFileSync(join(folder, 'whole.jsonl'));
    const random = seededRandom(5);
    for (let round = 0; round < 12; round++) {
      const path = join(folder, `cut-${round}.jsonl`);
      writeFileSync(path, bytes);
      truncateSync(path, Math.floor(random() * bytes.length));
      expect(await run(`cut-${round}.jsonl`, 24, shuffling(2, round))).toEqual(whole);
    }
  });

  test('does nothing again: a finished study runs no trial, more trials add to it', async () => {
    await run('more.jsonl', 10, shuffling(2, 6));
    const ran: number[] = [];
    const counting = shuffling(2, 7, (job) => {
      ran.push(job.number);
      return measured(job);
    });
    await run('more.jsonl', 10, counting);
    expect(ran).toEqual([]);
    expect(await run('more.jsonl', 14, counting)).toHaveLength(14);
    expect(ran.toSorted((a, b) => a - b)).toEqual([10, 11, 12, 13]);
  });

  test('a failed trial is one trial, with its reason', async () => {
    const failing = shuffling(2, 8, (job) =>
      job.number === 3
        ? {
            state: 'failed',
            failure: { code: 'E_WORKER', exit: 2, message: 'gone', measure: [], hint: null },
          }
        : measured(job),
    );
    const trials = await run('failing.jsonl', 12, failing);
    expect(trials.map((trial) => trial.state)).toEqual(
      trials.map((_, i) => (i === 3 ? 'failed' : 'measured')),
    );
  });

  test.each([
    ['the very first', (number: number) => number === 0, 1, 1],
    ['several in a row', (number: number) => number >= 5, 2, 7],
  ])('ends with the reason when %s cannot be done', async (_, fails, exit, most) => {
    const failure = { code: 'E_NO_BOARD', exit, message: 'no board', measure: [], hint: 'plug it in' };
    const failing = shuffling(1, 9, (job) =>
      fails(job.number) ? { state: 'failed', failure } : measured(job),
    );
    const name = `ending-${most}.jsonl`;
    await expect(run(name, 30, failing)).rejects.toMatchObject({ code: 'E_NO_BOARD', exit });
    const study = open(name);
    study.close();
    expect(study.trials.length).toBeLessThanOrEqual(most);
  });

  test('what is worth no more effort is compared with earlier trials on the same samples', async () => {
    const peers = new Map<number, number[]>();
    await run(
      'peers.jsonl',
      20,
      shuffling(2, 10, (job) => {
        peers.set(
          job.number,
          job.rungs.map((rung) => rung.peers.length),
        );
        return measured(job);
      }),
    );
    expect(peers.get(0)).toEqual([0, 0]);
    expect(peers.get(19)).toEqual([16, 16]);
  });
});

describe('a study file', () => {
  test('of something else is refused and kept', async () => {
    await run('mine.jsonl', 3, shuffling(1, 1));
    const before = readFileSync(join(folder, 'mine.jsonl'));
    for (const of of [
      { model: 'x' },
      { data: 'x' },
      { calib: 'x' },
      { train: 'x' },
      { board: 'x' },
      { version: '2' },
      { space: [] },
    ]) {
      expect(() => open('mine.jsonl', of)).toThrow(expect.objectContaining({ code: 'E_STUDY_MISMATCH' }));
    }
    expect(readFileSync(join(folder, 'mine.jsonl'))).toEqual(before);
  });

  test.each([
    ['not JSON', 'hello\nworld\n'],
    ['no study', '{"a":1}\n'],
    [
      'a trial that is none',
      `${JSON.stringify({ study: 'tinyml search', id: '0f0f0f0f', subject })}\n{"number":1}\n`,
    ],
    ['text without an end', 'my notes'],
  ])('with %s is refused and kept', (_, content) => {
    const path = join(folder, 'bad.jsonl');
    writeFileSync(path, content);
    expect(() => open('bad.jsonl')).toThrow(expect.objectContaining({ code: 'E_STUDY_DAMAGED' }));
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  test('is used by one search at a time', () => {
    const study = open('busy.jsonl');
    expect(() => open('busy.jsonl')).toThrow(expect.objectContaining({ code: 'E_STUDY_BUSY' }));
    study.close();
    open('busy.jsonl').close();
    expect(statSync(join(folder, 'busy.jsonl')).size).toBeGreaterThan(0);
  });
});
