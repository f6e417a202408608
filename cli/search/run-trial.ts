import { createHash } from 'node:crypto';
import { type CalibrationData, type ConvertedModel, convertModel } from '../../converter/convert-model.ts';
import { isPromising } from '../../converter/search/halving.ts';
import type { Measures } from '../../converter/search/measures.ts';
import { type RungMeasure, rungOutcome } from '../../converter/search/rung.ts';
import type { Assignment } from '../../converter/search/space.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import type { Context } from '../context.ts';
import { readDataPath } from '../files/data-path.ts';
import { readKernels } from '../files/templates.ts';
import { shortageOn } from '../firmware/board-fit.ts';
import { buildFirmware, firmwareModelOf } from '../firmware/firmware.ts';
import { partOf } from '../lifetime.ts';
import { connectBench, subjectOfConverted } from '../measure/bench-subject.ts';
import { measureBoard } from '../measure/measure-board.ts';
import { readCalibration } from '../model/convert.ts';
import { type OpenModel, openModel } from '../model/open-model.ts';
import { packageVersion } from '../package-info.ts';
import { qualityUndefined } from './errors.ts';
import { conversionOf, optimizeOf } from './knobs.ts';
import type { LabelledSamples } from './labelled-samples.ts';
import { Pruner } from './pruner.ts';
import { scorerFor } from './score-model.ts';
import { searchData } from './subject.ts';
import type { KnownModel, TrialJob, TrialResult, Workload } from './trial.ts';

/** An emulated board gives the same count every time; a real one is measured often enough for a median. */
const runsOnBoard = 10;

/** A workload read and kept by one worker for all its trials. */
export interface Bench {
  readonly workload: Workload;
  readonly model: OpenModel;
  readonly calibration: CalibrationData;
  readonly samples: LabelledSamples;
  /** Where trials may prune. */
  readonly pruner: Pruner | undefined;
}

/** Reads model and data. Throws what reading them throws. */
export async function openWorkload(context: Context, workload: Workload): Promise<Bench> {
  const { data, train, calib, prunes, seed, metric } = workload;
  const model = openModel(context, workload.model, workload.inputShape);
  const sets = {
    data: readDataPath(context, data),
    train: train === null ? undefined : readDataPath(context, train),
    prunes,
  };
  const { scored, trained } = await searchData(context, model, sets, { metric, seed });
  const calibration = readCalibration(context, calib, model.graph);
  const pruner = trained && new Pruner(model, trained, seed);
  return { workload, model, calibration, samples: scored, pruner };
}

/** Evenly spread ones of the calibration samples. */
function fewer({ inputs, count }: CalibrationData, wanted = count): CalibrationData {
  if (wanted >= count) return { inputs, count };
  const taken = inputs.map((data) => {
    const size = data.length / count;
    const few = new Float32Array(wanted * size);
    for (let i = 0; i < wanted; i++) {
      const from = Math.floor((i * count) / wanted) * size;
      few.set(data.subarray(from, from + size), i * size);
    }
    return few;
  });
  return { inputs: taken, count: wanted };
}

const describe = (assignment: Assignment) =>
  Object.entries(assignment)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

/** Converts as an assignment says. */
export async function convertTrial(
  context: Context,
  { model, calibration, pruner }: Pick<Bench, 'model' | 'calibration' | 'pruner'>,
  assignment: Assignment,
): Promise<ConvertedModel> {
  const { options, recipe, calibrationSamples, prune } = conversionOf(assignment);
  const graph = prune && pruner ? await pruner.prune(context, prune) : model.graph;
  return convertModel(graph, {
    engine: 'aot',
    quantize: 'int8',
    optimize: 'speed',
    ...options,
    recipe,
    calibration: fewer(calibration, calibrationSamples),
    kernels: readKernels(),
    toolVersion: packageVersion(),
    command: `tinyml search ${model.name}: ${describe(assignment)}`,
  });
}

async function measureOn(
  context: Context,
  { workload }: Bench,
  converted: ConvertedModel,
  optimize: 'speed' | 'size',
): Promise<Omit<Measures, 'quality'>> {
  const board = chooseBoard(workload.board);
  const firmware = await buildFirmware(context, board, firmwareModelOf('model', converted, optimize));
  const subject = subjectOfConverted('model', converted);
  const report = await withBoard(context, board, workload.port ?? undefined, async (link) => {
    await flashBoard(context, link, firmware.bin, () => {});
    const client = await connectBench(context, link, subject);
    return measureBoard(client, link, subject, { runs: runsOnBoard, sizes: firmware.sizes }, () => {});
  });
  const { arena, static: fixed, stackUsed } = report.ram;
  return {
    latency: report.latencyUs.median,
    instructions: report.instructions,
    ram: arena + fixed + stackUsed,
    flash: firmware.sizes.image,
  };
}

/** The qualities on more and more samples, until the trial proves not worth more. */
async function climb(
  context: Context,
  bench: Bench,
  converted: ConvertedModel,
  job: TrialJob,
  known: KnownModel | undefined,
): Promise<{ readonly rungs: RungMeasure[]; readonly promising: boolean }> {
  const { goal } = bench.workload;
  const { macs, weightsBytes, arenaBytes } = converted;
  const scoreOn = scorerFor(context, bench.model, converted);
  const rungs: RungMeasure[] = [];
  for (const { samples, peers } of job.rungs) {
    const held = known?.rungs.find((rung) => rung.samples === samples)?.quality;
    const quality = held ?? (await scoreOn(bench.samples.first(samples))).value;
    if (!Number.isFinite(quality)) throw qualityUndefined(bench.workload.data);
    const rung = { samples, quality, macs, weightsBytes, arenaBytes };
    rungs.push(rung);
    const others = peers.map((peer) => rungOutcome(peer, goal));
    if (!isPromising(rungOutcome(rung, goal), others)) return { rungs, promising: false };
  }
  return { rungs, promising: true };
}

async function runTrialIn(context: Context, bench: Bench, job: TrialJob): Promise<TrialResult> {
  const converted = await convertTrial(context, bench, job.assignment);
  const optimize = optimizeOf(job.assignment);
  const hash = createHash('sha256').update(converted.tflite).digest('hex');
  const same = job.known.filter((known) => known.hash === hash);
  const longest = same.toSorted((a, b) => b.rungs.length - a.rungs.length)[0];
  const { rungs, promising } = await climb(context, bench, converted, job, longest);
  const base = { hash, optimize, rungs };
  if (!promising) return { ...base, state: 'stopped', reason: 'not promising', measures: null };
  const measured = same.find((known) => known.optimize === optimize && known.measures)?.measures;
  if (measured) return { ...base, state: 'measured', measures: measured };
  const over = shortageOn(chooseBoard(bench.workload.board), converted);
  if (over.flash > 0 || over.ram > 0) return { ...base, state: 'stopped', reason: 'too big', measures: null };
  const costs = await measureOn(context, bench, converted, optimize);
  const measures = { quality: rungs.at(-1)!.quality, ...costs };
  return { ...base, state: 'measured', measures };
}

/** Converts, scores and, if it is worth it, measures one trial. Throws what these throw; nothing is left behind. */
export async function runTrial(context: Context, bench: Bench, job: TrialJob): Promise<TrialResult> {
  const lifetime = partOf(context.lifetime);
  try {
    return await runTrialIn({ ...context, lifetime }, bench, job);
  } finally {
    await lifetime.end();
  }
}
