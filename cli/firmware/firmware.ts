import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { type Board, firmwareFacts } from '../../boards/load.ts';
import { type AotModel, generateAot } from '../../converter/codegen/aot.ts';
import type { AotRegion } from '../../converter/codegen/aot-options.ts';
import { machineOf } from '../../converter/codegen/machine.ts';
import type { ConvertedModel } from '../../converter/convert-model.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { elfSizes, type ImageSizes } from '../../firmware-templates/elf-sizes.ts';
import { espImage } from '../../firmware-templates/esp-image.ts';
import { arenaRoom, linkOverflow } from '../../firmware-templates/fit.ts';
import {
  arenaSection,
  type FirmwarePlan,
  firmwareTemplates,
  recorderTemplates,
  renderFirmware,
  type ToolRun,
} from '../../firmware-templates/render.ts';
import type { Context } from '../context.ts';
import { readKernels, readTemplate } from '../files/templates.ts';
import { makeTemporary, temporaryFolder, writeTemporary } from '../files/temporary.ts';
import { packageVersion } from '../package-info.ts';
import { toolFailed, toolNoOutput } from '../tools/errors.ts';
import { lastLines, runTool } from '../tools/run-tool.ts';
import { refuseTooBig, stackBytes } from './board-fit.ts';
import { modelTooBig } from './errors.ts';

const compileSeconds = 120;

/** What of a converted model goes into firmware. */
export interface FirmwareModel {
  readonly name: string;
  readonly graph: Graph;
  readonly tflite: Uint8Array;
  /** Portable C sources and headers by relative path. */
  readonly sources: ReadonlyMap<string, string>;
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  readonly layers: readonly unknown[];
  readonly optimize: 'speed' | 'size';
  /** How weights stand in flash; as they are when absent. */
  readonly weights?: 'plain' | 'coded';
}

const isSource = (name: string) => /\.[ch]$/.test(name);

/** The C of a converted model, whole: kernels included. */
export function firmwareModelOf(
  name: string,
  { graph, tflite, files, weightsBytes, arenaBytes, layers }: ConvertedModel,
  optimize: 'speed' | 'size',
): FirmwareModel {
  const sources = [...files]
    .filter(([path]) => isSource(path))
    .map(([path, text]) => [path, String(text)] as const);
  return { name, graph, tflite, sources: new Map(sources), weightsBytes, arenaBytes, layers, optimize };
}

/** The board's memories for the arena; none where there is only one, which the linker then checks. */
function regionsOf(board: Board, graph: Graph): readonly AotRegion[] | undefined {
  const facts = firmwareFacts(board);
  if (facts.arenaRam.length === 0) return undefined;
  const room = arenaRoom(facts, { layers: graph.nodes.length, stackBytes });
  const others = facts.arenaRam.map((memory) => ({ bytes: memory.bytes, section: arenaSection(memory) }));
  return [{ bytes: room }, ...others];
}

/** C with the kernels of the board's core for an int8 or float graph; portable C where there are none for it. */
export function generateForBoard(
  board: Board,
  {
    graph,
    tflite,
    optimize,
    weights = 'plain',
  }: Pick<FirmwareModel, 'graph' | 'tflite' | 'optimize' | 'weights'>,
): AotModel {
  const regions = regionsOf(board, graph);
  return generateAot(graph, {
    toolVersion: packageVersion(),
    command: `tinyml build --board ${board.id}`,
    modelHash: createHash('sha256').update(tflite).digest('hex'),
    optimize,
    weights,
    arenaLimit: arenaRoom(firmwareFacts(board), { layers: graph.nodes.length, stackBytes }),
    machine: machineOf(board.chip.cpu),
    ...(regions ? { regions } : {}),
    kernels: readKernels(),
  });
}

/** The model with C for the board's core, where there are kernels for it; results are the same bytes. */
function forMachine(board: Board, model: FirmwareModel): FirmwareModel {
  if (machineOf(board.chip.cpu) === 'any') return model;
  const { files, weightsBytes, arenaBytes } = generateForBoard(board, model);
  const sources = new Map([...files].filter(([path]) => isSource(path)));
  return { ...model, sources, weightsBytes, arenaBytes };
}

export interface Firmware {
  readonly elf: Uint8Array;
  readonly bin: Uint8Array;
  readonly hex: Uint8Array;
  readonly sizes: ImageSizes;
  /** Sources and build files that the images were made from, by relative path. */
  readonly files: ReadonlyMap<string, string>;
}

function planFor(board: Board, model: FirmwareModel, constants?: 'flash'): FirmwarePlan {
  const facts = firmwareFacts(board);
  return renderFirmware({
    board: facts,
    model: {
      layers: model.layers.length,
      inputKept: false,
      weightsBytes: model.weightsBytes,
      arenaBytes: model.arenaBytes,
      ...(constants ? { constants } : {}),
    },
    modelFiles: [...model.sources].map(([path, text]) => ({ path, text })),
    templates: firmwareTemplates(facts.family).map((path) => ({ path, text: readTemplate(path) })),
    optimize: model.optimize,
    stackBytes,
    banner: `tinyml ${packageVersion()}: firmware of ${model.name} for ${board.id}`,
  });
}

/** Runs tasks with at most one for each processor under way. */
async function inParallel(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const pending = [...tasks];
  const worker = async () => {
    for (let task = pending.shift(); task; task = pending.shift()) await task();
  };
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism()) }, worker));
}

async function runStep(context: Context, folder: string, run: ToolRun, board: Board): Promise<void> {
  makeTemporary(dirname(join(folder, run.output)));
  context.output.detail(`${run.tool} ${run.args.join(' ')}`);
  const { code, stderr } = await runTool(
    {
      tool: run.tool,
      args: run.args,
      purpose: 'build firmware',
      timeoutSeconds: compileSeconds,
      cwd: folder,
    },
    context.lifetime,
  );
  if (code === 0) return;
  const over = linkOverflow(stderr);
  if (over) throw modelTooBig(board.id, over);
  const errors = stderr.split('\n').filter((line) => /\berror\b|undefined reference/i.test(line));
  const said = errors.length > 0 ? errors.slice(0, 6).join('\n') : stderr;
  throw toolFailed(run.tool, `exit code ${code}, making ${run.output}`, lastLines(said));
}

function readImage(folder: string, name: string, tool: string): Uint8Array {
  try {
    return readFileSync(join(folder, name));
  } catch {
    throw toolNoOutput(tool, name);
  }
}

/** Builds the firmware of a model for a board in a temporary folder. Refuses before that what cannot fit. */
export async function buildFirmware(
  context: Context,
  board: Board,
  portable: FirmwareModel,
): Promise<Firmware> {
  const model = forMachine(board, portable);
  refuseTooBig(board, model);
  const plan = planFor(board, model);
  try {
    return await buildPlan(context, board, plan);
  } catch (error) {
    // How much room the code takes beside them shows only now.
    if (plan.constants !== 'ram' || (error as { code?: string }).code !== 'E_MODEL_TOO_BIG') throw error;
    return buildPlan(context, board, planFor(board, model, 'flash'));
  }
}

/** Builds firmware without a model, which takes samples of the board's sensors. */
export async function buildRecorder(context: Context, board: Board): Promise<Firmware> {
  const facts = firmwareFacts(board);
  const plan = renderFirmware({
    board: facts,
    model: { layers: 0, inputKept: true, weightsBytes: 0, arenaBytes: 0 },
    modelFiles: [{ path: 'tml_model.h', text: readTemplate('kernels/tml_model.h') }],
    templates: recorderTemplates(facts.family).map((path) => ({ path, text: readTemplate(path) })),
    optimize: 'size',
    sampling: true,
    stackBytes,
    banner: `tinyml ${packageVersion()}: recorder for ${board.id}`,
  });
  return buildPlan(context, board, plan);
}

async function buildPlan(context: Context, board: Board, plan: FirmwarePlan): Promise<Firmware> {
  const folder = temporaryFolder(context.lifetime, 'build');
  for (const { path, text } of plan.files) writeTemporary(folder, path, text);
  await inParallel(plan.compile.map((run) => () => runStep(context, folder, run, board)));
  await runStep(context, folder, plan.link, board);
  const elf = readImage(folder, 'firmware.elf', plan.link.tool);
  if (plan.espImage) writeTemporary(folder, 'firmware.bin', espImage(elf, plan.espImage));
  for (const image of plan.images) await runStep(context, folder, image, board);
  return {
    elf,
    bin: readImage(folder, 'firmware.bin', plan.images[0]!.tool),
    hex: readImage(folder, 'firmware.hex', plan.images[0]!.tool),
    sizes: elfSizes(elf),
    files: new Map(plan.files.map(({ path, text }) => [path, text])),
  };
}
