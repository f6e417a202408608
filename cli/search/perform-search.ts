import type { Board } from '../../boards/load.ts';
import { bestOf, frontOf } from '../../converter/search/choose-best.ts';
import {
  type Goal,
  type Limit,
  metricOf,
  objectivesOf,
  violationOf,
} from '../../converter/search/measures.ts';
import type { Space } from '../../converter/search/space.ts';
import type { SamplerName } from '../../converter/search/suggest.ts';
import { chooseBoard } from '../board/board-choice.ts';
import type { Context } from '../context.ts';
import { readDataPath } from '../files/data-path.ts';
import { writeFileAtomically } from '../files/output-file.ts';
import { readCalibration } from '../model/convert.ts';
import { reportOf, writeModelFolder } from '../model/model-folder.ts';
import { type InputShapes, type OpenModel, openModel } from '../model/open-model.ts';
import type { ForceFlag } from '../options.ts';
import type { Progress } from '../output.ts';
import { packageVersion } from '../package-info.ts';
import { formatMeasure } from '../report/measure-text.ts';
import { scatterSvg } from '../report/scatter-plot.ts';
import { notCounted, nothingMeasured } from './errors.ts';
import { type Executor, localExecutor } from './executor.ts';
import { canPrune, type KnobLimit, optimizeOf, restrict } from './knobs.ts';
import { Pruner } from './pruner.ts';
import { runStudy, type StudyEvents } from './run-study.ts';
import { convertTrial } from './run-trial.ts';
import { scorerFor } from './score-model.ts';
import { searchPlot } from './search-plot.ts';
import { type FrontEntry, measuredTrials, type SearchReport } from './search-report.ts';
import { openStudy, type Study } from './study-file.ts';
import {
  goalOf,
  hashOfData,
  hashOfModel,
  labelledSamples,
  type SearchData,
  searchData,
  spaceOf,
} from './subject.ts';
import type { Trial, Workload } from './trial.ts';

export interface SearchOptions extends ForceFlag {
  readonly data: string;
  readonly calib?: string;
  readonly test?: string;
  readonly train?: string;
  readonly metric?: string;
  readonly only: readonly KnobLimit[];
  readonly budget: readonly Limit[];
  readonly trials: number;
  readonly board: string;
  /** A port for each worker; empty where boards are emulated or found by themselves. */
  readonly ports: readonly string[];
  readonly output?: string;
  readonly study: string;
  readonly plot: string;
  readonly sampler: SamplerName;
  readonly seed: number;
  readonly jobs: number;
  readonly trialTimeout: number;
  readonly queue?: string;
  readonly inputShape?: InputShapes;
  /** For a study that does not exist yet. */
  readonly id: string;
}

/** A search that is ready to run: everything the user named was read and found good. */
interface Prepared {
  readonly path: string;
  readonly options: SearchOptions;
  readonly board: Board;
  readonly model: OpenModel;
  readonly goal: Goal;
  readonly space: Space;
  readonly data: SearchData;
  readonly study: Study;
}

async function prepare(context: Context, path: string, options: SearchOptions): Promise<Prepared> {
  const board = chooseBoard(options.board);
  if (!board.emulator && options.budget.some(({ measure }) => measure === 'instructions')) {
    throw notCounted(board.id);
  }
  const model = openModel(context, path, options.inputShape);
  const space = options.only.reduce(restrict, spaceOf(model));
  const dataset = readDataPath(context, options.data);
  const train = options.train === undefined ? undefined : readDataPath(context, options.train);
  const choice = { metric: options.metric ?? metricOf(options.budget), seed: options.seed };
  const sets = { data: dataset, train, prunes: canPrune(space) };
  const data = await searchData(context, model, sets, choice);
  const goal = goalOf(data.scored, options.budget);
  if (options.test !== undefined)
    await labelledSamples(context, model, readDataPath(context, options.test), choice);
  const calib = options.calib === undefined ? dataset : readDataPath(context, options.calib);
  const subject = {
    model: hashOfModel(model),
    data: hashOfData(dataset),
    calib: hashOfData(calib),
    train: train ? hashOfData(train) : null,
    board: board.id,
    seed: options.seed,
    version: packageVersion(),
    space,
  };
  const study = openStudy(options.study, subject, options.id, context.lifetime);
  return { path, options, board, model, goal, space, data, study };
}

function workloadsOf({ path, options, board, goal, space, data: read }: Prepared): Workload[] {
  const { inputShape = [], data, calib = data, train = null, seed, ports, jobs } = options;
  const prunes = canPrune(space);
  const shared = {
    model: path,
    inputShape,
    calib,
    data,
    train,
    prunes,
    board: options.board,
    goal,
    metric: read.scored.metric.name,
    seed,
  };
  if (ports.length > 0) return ports.map((port) => ({ ...shared, port }));
  // Without a port a real board is found by its USB ids, and there is one of it.
  return Array.from({ length: board.emulator ? jobs : 1 }, () => ({ ...shared, port: null }));
}

async function openExecutor(context: Context, prepared: Prepared): Promise<Executor> {
  const { options, model, study, board } = prepared;
  const workloads = workloadsOf(prepared);
  const timeoutSeconds = options.trialTimeout;
  if (options.queue === undefined) return localExecutor(workloads, timeoutSeconds);
  const { queueExecutor } = await import('./queue/queue-executor.ts');
  const { packBundle } = await import('./queue/bundle.ts');
  const [workload] = workloads;
  const { calib, data, train } = workload!;
  return queueExecutor({
    url: options.queue,
    width: options.jobs,
    studyId: study.id,
    boardId: board.id,
    workload: workload!,
    packed: packBundle({ model: model.path, externals: model.externalFiles, calib, data, train }),
    timeoutSeconds,
    onNote: context.output.note,
  });
}

const countsOf = (trials: readonly Trial[]) => {
  const count = (state: Trial['state']) => trials.filter((trial) => trial.state === state).length;
  return { measured: count('measured'), stopped: count('stopped'), failed: count('failed') };
};

function reportOn(
  { path, options, model, goal, board }: Prepared,
  trials: readonly Trial[],
): Omit<SearchReport, 'output'> | undefined {
  const measured = measuredTrials(trials);
  const measures = measured.map((trial) => trial.measures);
  const best = bestOf(measures, goal);
  if (best === undefined) return undefined;
  const entry = (i: number): FrontEntry => {
    const { number, assignment, measures } = measured[i]!;
    return { trial: number, assignment, measures, testQuality: null };
  };
  return {
    model: { path, sha256: model.sha256, format: model.format },
    board: board.id,
    metric: goal.quality,
    budget: goal.limits,
    objectives: objectivesOf(goal),
    sampler: options.sampler,
    seed: options.seed,
    feasible: violationOf(measures[best]!, goal.limits) === 0,
    best: entry(best),
    front: frontOf(measures, goal).map(entry),
    counts: countsOf(trials),
    trials,
    study: options.study,
    plot: options.plot,
  };
}

function bestText(report: Omit<SearchReport, 'output'>): string {
  const { quality, latency, flash } = report.best.measures;
  const text = `${formatMeasure(report.metric, quality)}, ${formatMeasure('latency', latency)}, ${formatMeasure('flash', flash)}`;
  return `${report.feasible ? 'best' : 'nearest'} ${text}`;
}

/** Where no live line shows how far it is, a line now and then does. */
const noteEveryMs = 15_000;

/** Shows how far the search is, and keeps the plot up to date while it runs. */
function watch(context: Context, prepared: Prepared, progress: Progress): StudyEvents {
  let best = '';
  let noted = Date.now();
  let counted = '';
  const show = () => progress([counted, best].filter(Boolean).join(', '));
  return {
    onState(running, done) {
      counted = `${done} of ${prepared.options.trials} trials, ${running} running`;
      show();
    },
    onTrial(trial, trials) {
      const how = trial.state === 'failed' ? `failed: ${trial.failure.message}` : trial.state;
      context.output.detail(`trial ${trial.number}: ${how}`);
      const report = reportOn(prepared, trials);
      if (!report) return;
      best = bestText(report);
      writeFileAtomically(prepared.options.plot, scatterSvg(searchPlot(report)), context.lifetime);
      if (process.stderr.isTTY || context.output.flags.json || Date.now() - noted < noteEveryMs) return;
      noted = Date.now();
      context.output.note(`${trials.length} of ${prepared.options.trials} trials, ${best}`);
    },
  };
}

async function runTrials(context: Context, prepared: Prepared): Promise<Trial[]> {
  const { options, goal, space, study, model } = prepared;
  const samples = prepared.data.scored.count;
  const { sampler, seed, trials } = options;
  const plan = { space, sampler, goal, seed, trials, samples };
  if (study.trials.length > 0) {
    context.output.note(`${study.path}: goes on after ${study.trials.length} trials`);
  }
  const executor = await openExecutor(context, prepared);
  const withdraw = context.lifetime.onEnd(() => executor.close());
  try {
    return await context.output.step(`search ${model.name}`, (progress) =>
      runStudy(plan, study, executor, watch(context, prepared, progress), context.lifetime.signal),
    );
  } finally {
    withdraw();
    await executor.close();
    study.close();
  }
}

/** What converting again takes, here where the search was started. */
function workshopOf(context: Context, { model, options, data }: Prepared) {
  const { calib = options.data, seed } = options;
  const calibration = readCalibration(context, calib, model.graph);
  return { model, calibration, pruner: data.trained && new Pruner(model, data.trained, seed) };
}

/** Scores conversions on data that had no part in choosing them. */
async function scoreOnTest(
  context: Context,
  prepared: Prepared,
  entries: readonly FrontEntry[],
): Promise<FrontEntry[]> {
  const { model, data } = prepared;
  const { test, seed } = prepared.options;
  if (test === undefined) return [...entries];
  const samples = await labelledSamples(context, model, readDataPath(context, test), {
    metric: data.scored.metric.name,
    seed,
  });
  const workshop = workshopOf(context, prepared);
  return context.output.step('score the front on --test', async (progress) => {
    const scored: FrontEntry[] = [];
    for (const entry of entries) {
      progress(`${scored.length + 1} of ${entries.length}`);
      const converted = await convertTrial(context, workshop, entry.assignment);
      const { value } = await scorerFor(context, model, converted)(samples.first(samples.count));
      scored.push({ ...entry, testQuality: value });
    }
    return scored;
  });
}

async function writeBest(context: Context, prepared: Prepared, { assignment }: FrontEntry): Promise<void> {
  const { model, options } = prepared;
  if (options.output === undefined) return;
  const converted = await context.output.step('convert the best', () =>
    convertTrial(context, workshopOf(context, prepared), assignment),
  );
  const report = reportOf(model, converted, { optimize: optimizeOf(assignment) });
  writeModelFolder(context, options.output, report, converted, options);
}

/** Runs or resumes a search and writes what it leads to. Throws E_NOTHING_MEASURED and what reading its inputs throws. */
export async function performSearch(
  context: Context,
  path: string,
  options: SearchOptions,
): Promise<SearchReport> {
  const prepared = await prepare(context, path, options);
  const trials = await runTrials(context, prepared);
  const report = reportOn(prepared, trials);
  if (!report) throw nothingMeasured(trials.length, reasonsOf(trials));
  const front = await scoreOnTest(context, prepared, report.front);
  const best = front.find((entry) => entry.trial === report.best.trial) ?? report.best;
  writeFileAtomically(options.plot, scatterSvg(searchPlot(report)), context.lifetime);
  if (report.feasible) await writeBest(context, prepared, best);
  const output = report.feasible ? (options.output ?? null) : null;
  return { ...report, front, best, output };
}

function reasonsOf(trials: readonly Trial[]): string[] {
  const reasons = trials.map((trial) => {
    if (trial.state === 'failed') return `failed: ${trial.failure.message}`;
    return trial.state === 'stopped' ? trial.reason : '';
  });
  return [...new Set(reasons)].slice(0, 4);
}
