import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ConvertedModel } from '../../converter/convert-model.ts';
import { importModel } from '../../converter/import-model.ts';
import { tensorOf } from '../../converter/ir/graph.ts';
import type { Graph, Port } from '../../converter/ir/types.ts';
import type { Accuracy } from '../../converter/metrics/metric.ts';
import { optimize } from '../../converter/pipeline.ts';
import type { Context } from '../context.ts';
import { readInputFile } from '../files/input-file.ts';
import { writeFolderAtomically } from '../files/output-folder.ts';
import { isOwnFileName, reportName } from '../files/owned-folder.ts';
import type { ForceFlag } from '../options.ts';
import { jsonText } from '../output.ts';
import { packageVersion } from '../package-info.ts';
import type { ConversionChoice } from './convert.ts';
import { damagedFolder, notModelFolder } from './errors.ts';
import type { OpenModel } from './open-model.ts';

const reportLimit = 67_108_864;
const sourceLimit = 268_435_456;

/** What `convert` says on stdout with --json, and leaves as report.json. */
export interface ModelReport {
  readonly tool: 'tinyml';
  readonly version: string;
  readonly model: { readonly path: string; readonly sha256: string; readonly format: string };
  readonly engine: string;
  readonly quantize: string;
  readonly optimize: 'speed' | 'size';
  readonly macs: number;
  readonly weightsBytes: number;
  readonly arenaBytes: number;
  readonly peak: ConvertedModel['peak'];
  readonly transposes: number;
  readonly inputs: readonly PortReport[];
  readonly outputs: readonly PortReport[];
  readonly files: Readonly<Record<string, string>>;
  readonly layers: ConvertedModel['layers'];
  readonly warnings: readonly string[];
  /** On labelled samples, where the user gave some. */
  readonly accuracy?: Accuracy;
}

interface PortReport {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly scale: number | null;
  readonly zeroPoint: number | null;
}

function portReport(graph: Graph, port: Port): PortReport {
  const { dtype, quant } = tensorOf(graph, port.value).type;
  const { name, shape } = port;
  return { name, dtype, shape, scale: quant?.scale[0] ?? null, zeroPoint: quant?.zeroPoint[0] ?? null };
}

/** `model.c` is called `c`; files of other names keep them. */
function fileKeys(names: readonly string[]): Record<string, string> {
  const keyOf = (name: string) => /^model\.(\w+)$/.exec(name)?.[1] ?? name;
  return Object.fromEntries([...names, reportName].map((name) => [keyOf(name), name]));
}

export function reportOf(model: OpenModel, converted: ConvertedModel, choice: ConversionChoice): ModelReport {
  const { graph, quantize, macs, weightsBytes, arenaBytes, peak, transposes, layers, warnings } = converted;
  return {
    tool: 'tinyml',
    version: packageVersion(),
    model: { path: model.path, sha256: model.sha256, format: model.format },
    engine: choice.engine ?? 'aot',
    quantize,
    optimize: choice.optimize ?? 'speed',
    macs,
    weightsBytes,
    arenaBytes,
    peak,
    transposes,
    inputs: graph.inputs.map((port) => portReport(graph, port)),
    outputs: graph.outputs.map((port) => portReport(graph, port)),
    files: fileKeys([...converted.files.keys()]),
    layers,
    warnings: [...model.notes, ...warnings],
  };
}

/** Writes a converted model and its report as one folder; what is not ours there is kept, old firmware is not. */
export function writeModelFolder(
  context: Context,
  path: string,
  report: ModelReport,
  converted: ConvertedModel,
  { force = false }: ForceFlag,
): void {
  const files = new Map([...converted.files, [reportName, jsonText(report)] as const]);
  writeFolderAtomically(context, path, files, force);
}

/** The parts of a report that building relies on are checked; it may come from anywhere. */
function isReport(document: unknown): document is ModelReport {
  const report = document as Partial<ModelReport> | null;
  const files = report?.files;
  return (
    typeof report === 'object' &&
    report?.tool === 'tinyml' &&
    (report.optimize === 'speed' || report.optimize === 'size') &&
    typeof report.engine === 'string' &&
    Number.isSafeInteger(report.arenaBytes) &&
    Number.isSafeInteger(report.weightsBytes) &&
    typeof files === 'object' &&
    files !== null &&
    Object.values(files).every(isOwnFileName) &&
    Array.isArray(report.layers) &&
    report.layers.every((layer) => typeof layer?.name === 'string' && typeof layer.op === 'string')
  );
}

function readReport(path: string): ModelReport {
  const expected = 'a report of tinyml convert';
  const { bytes } = readInputFile(join(path, reportName), { expected, limit: reportLimit });
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw damagedFolder(path, `${reportName} is not JSON`);
  }
  if (!isReport(document)) throw damagedFolder(path, `${reportName} is not one of this version of tinyml`);
  return document;
}

/** A folder that `tinyml convert -o` wrote, read back. */
export interface ModelFolder {
  readonly path: string;
  readonly report: ModelReport;
  /** C sources and headers by relative path. */
  readonly sources: ReadonlyMap<string, string>;
  readonly graph: Graph;
  readonly tflite: Uint8Array;
  /** SHA-256 of it. */
  readonly tfliteHash: Uint8Array;
}

export function readModelFolder(path: string): ModelFolder {
  let report: ModelReport;
  try {
    report = readReport(path);
  } catch (error) {
    if ((error as { code?: string }).code === 'E_FILE_MISSING') throw notModelFolder(path);
    throw error;
  }
  const read = (name: string) =>
    readInputFile(join(path, name), { expected: 'a file of a converted model', limit: sourceLimit }).bytes;
  const names = Object.values(report.files).filter((name) => /\.(c|h|cc)$/.test(name));
  const sources = new Map(names.map((name) => [name, new TextDecoder().decode(read(name))]));
  const tflite = read(report.files['tflite'] ?? 'model.tflite');
  // The same passes as at conversion: layers are then those of the generated C, in the same order.
  const graph = optimize(importModel(tflite, { fileName: 'model.tflite' }).graph);
  const tfliteHash = createHash('sha256').update(tflite).digest();
  return { path, report, sources, graph, tflite, tfliteHash };
}
