import type { Board } from '../../boards/load.ts';
import type { ConvertedModel } from '../../converter/convert-model.ts';
import { pointsLost, type Score } from '../../converter/metrics/metric.ts';
import { isBetter, type Remedy } from '../../converter/quant/doctor/ladder.ts';
import type { Recipe } from '../../converter/quant/recipe.ts';
import { withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import type { Context } from '../context.ts';
import { runHostC, runReference } from '../engine/engines.ts';
import { hasHostCompiler } from '../engine/host-model.ts';
import { type LabelledSet, scoreRun } from '../engine/labelled-set.ts';
import { buildFirmware, firmwareModelOf } from '../firmware/firmware.ts';
import { connectBench, subjectOfConverted } from '../measure/bench-subject.ts';
import { measureBoard } from '../measure/measure-board.ts';
import { convertOpenModel } from '../model/convert.ts';
import type { OpenModel } from '../model/open-model.ts';
import { recipeWords } from '../model/recipe.ts';
import type { Progress } from '../output.ts';

/** What must hold; absent where the user does not mind. */
export interface Budget {
  /** Points: percent of top-1 accuracy, hundredths of an AUC, percent of a mean squared error. */
  readonly maxDrop?: number;
  readonly maxLatencyUs?: number;
  readonly maxRam?: number;
  readonly maxFlash?: number;
}

/** Labelled data and the float model's score on them. */
export interface Labelled extends LabelledSet {
  readonly float: Score;
}

/** Measured on the board; the same firmware that `tinyml bench` builds. */
export interface BoardCost {
  readonly latencyUs: number;
  readonly instructions: number | null;
  readonly flash: number;
  /** Arena, other static memory and stack used. */
  readonly ram: number;
}

export interface Attempt {
  readonly remedy: string;
  /** The options of `tinyml convert` that repeat it. */
  readonly options: readonly string[];
  readonly value: number | null;
  /** Points lost against float. */
  readonly lost: number | null;
  /** Signal to quantization noise at the model's result. */
  readonly sqnrDb: number;
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  readonly board: BoardCost | null;
  /** By how much each limit is missed, in words; empty where all hold. */
  readonly misses: readonly string[];
}

export interface Climbed {
  readonly attempts: readonly Attempt[];
  /** The attempt that holds the budget, or else comes nearest. */
  readonly chosen: number;
  readonly holds: boolean;
  readonly converted: ConvertedModel;
  readonly recipe: Recipe;
}

/** Multiply-accumulates from which compiled C, which gives the same bytes, is there sooner than the reference. */
const worthCompiling = 3e8;

/** Everything that one attempt needs. */
export interface Climb {
  readonly model: OpenModel;
  readonly calib: string;
  readonly labelled: Labelled | undefined;
  readonly budget: Budget;
  /** The board to measure on, where that is wanted. */
  readonly board: Board | undefined;
  readonly port: string | undefined;
}

async function boardCost(
  context: Context,
  { board, port, model }: Climb,
  converted: ConvertedModel,
): Promise<BoardCost | null> {
  if (!board) return null;
  const firmware = await buildFirmware(context, board, firmwareModelOf(model.name, converted, 'speed'));
  const subject = subjectOfConverted(model.path, converted);
  return withBoard(context, board, port, async (link) => {
    await flashBoard(context, link, firmware.bin, () => {});
    const client = await connectBench(context, link, subject);
    const report = await measureBoard(client, link, subject, { runs: 3, sizes: firmware.sizes }, () => {});
    const { arena, static: other, stackUsed } = report.ram;
    return {
      latencyUs: report.latencyUs.median,
      instructions: report.instructions,
      flash: firmware.sizes.image,
      ram: arena + other + stackUsed,
    };
  });
}

async function scoreOf(context: Context, { model, labelled }: Climb, converted: ConvertedModel) {
  if (!labelled) return null;
  const work = converted.macs * labelled.labels.data.length;
  const run = work > worthCompiling && hasHostCompiler() ? runHostC : runReference;
  const made = await run(context, model, converted, labelled.inputs);
  return scoreRun(labelled, made).value;
}

/** Limits that a measured attempt misses, as shares of the limits and in words. */
function missesOf(budget: Budget, lost: number | null, board: BoardCost | null) {
  const checks = [
    ['points lost', lost, budget.maxDrop],
    ['us latency', board?.latencyUs, budget.maxLatencyUs],
    ['bytes of RAM', board?.ram, budget.maxRam],
    ['bytes of flash', board?.flash, budget.maxFlash],
  ] as const;
  const over = checks.filter(([, value, limit]) => limit !== undefined && (value ?? 0) > limit);
  const round = (x: number) => Number(x.toPrecision(5));
  return {
    words: over.map(([what, value, limit]) => `${round(value!)} ${what}, limit ${limit}`),
    excess: over.reduce((sum, [, value, limit]) => sum + (value! - limit!) / Math.max(limit!, 1e-9), 0),
  };
}

interface Tried {
  readonly attempt: Attempt;
  readonly excess: number;
  readonly converted: ConvertedModel;
  readonly recipe: Recipe;
}

async function attempt(context: Context, climb: Climb, remedy: string, recipe: Recipe): Promise<Tried> {
  const quiet = { ...context, output: { ...context.output, warn() {}, step: silentStep } };
  const converted = await convertOpenModel(quiet, climb.model, { calib: climb.calib, recipe });
  const value = await scoreOf(quiet, climb, converted);
  const board = await boardCost(quiet, climb, converted);
  const lost = value === null ? null : pointsLost(climb.labelled!.metric, climb.labelled!.float.value, value);
  const { words, excess } = missesOf(climb.budget, lost, board);
  const result = converted.graph.outputs[0]!.value;
  const last = converted.layers[converted.graph.nodes.findLastIndex((node) => node.outputs.includes(result))];
  const { weightsBytes, arenaBytes } = converted;
  return {
    excess,
    converted,
    recipe,
    attempt: {
      remedy,
      options: recipeWords(recipe),
      value,
      lost,
      sqnrDb: last?.sqnrDb ?? 0,
      weightsBytes,
      arenaBytes,
      board,
      misses: words,
    },
  };
}

function silentStep<T>(_title: string, run: (progress: Progress) => Promise<T>): Promise<T> {
  return run(() => {});
}

/** Nearer to holding the budget, then better. */
function isPreferred(a: Tried, b: Tried): boolean {
  if (Math.abs(a.excess - b.excess) > 1e-9) return a.excess < b.excess;
  return isBetter(a.attempt, b.attempt);
}

/**
 * Tries the user's own recipe and then one remedy after the other on top of the best so far, until the budget holds
 * (with `all`, to the end). A remedy stays where it brings the budget nearer or the result closer to float.
 */
export async function climbLadder(
  context: Context,
  climb: Climb,
  start: Recipe,
  remedies: readonly Remedy[],
  options: { readonly all: boolean; readonly progress: Progress },
): Promise<Climbed> {
  const tried: Tried[] = [];
  let best: Tried | undefined;
  const go = async (name: string, recipe: Recipe) => {
    options.progress(name);
    const next = await attempt(context, climb, name, recipe);
    tried.push(next);
    if (!best || isPreferred(next, best)) best = next;
  };
  await go('as given', start);
  for (const remedy of remedies) {
    if (!options.all && best!.excess === 0) break;
    const recipe = remedy.apply(best!.recipe);
    if (recipe) await go(remedy.name, recipe);
    await context.lifetime.breathe();
  }
  const { converted, recipe } = best!;
  const attempts = tried.map((one) => one.attempt);
  return { attempts, chosen: tried.indexOf(best!), holds: best!.excess === 0, converted, recipe };
}
