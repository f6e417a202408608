import { type Board, firmwareFacts, isEsp } from '../../boards/load.ts';
import { espIdfTemplates, renderEspIdf } from '../../firmware-templates/esp-idf-project.ts';
import { readTemplate } from '../files/templates.ts';
import type { ModelFolder } from '../model/model-folder.ts';
import { packageVersion } from '../package-info.ts';
import { notAnEsp } from './errors.ts';
import { generateForBoard } from './firmware.ts';

/** Inference under TensorFlow Lite Micro takes more stack than code made for one model. */
const stackBytes = { aot: 8192, tflm: 16384 } as const;

const isSource = (name: string) => /\.(c|h|cc)$/.test(name);

/** The C of a model for the board's core, or what the other engine needs. */
function modelFiles(board: Board, model: ModelFolder) {
  const { engine, optimize } = model.report;
  if (engine !== 'aot') return [...model.sources];
  return [...generateForBoard(board, { ...model, optimize }).files].filter(([path]) => isSource(path));
}

/** An ESP-IDF project around a converted model, by relative path. Throws E_NOT_ESP. */
export function espIdfProject(board: Board, model: ModelFolder): ReadonlyMap<string, string> {
  if (!isEsp(board)) throw notAnEsp(board.id);
  const { report, graph } = model;
  const engine = report.engine === 'tflm' ? 'tflm' : 'aot';
  const facts = firmwareFacts(board);
  if (!('boot' in facts)) throw notAnEsp(board.id);
  const files = renderEspIdf({
    board: facts,
    engine,
    layers: engine === 'aot' ? report.layers.length : 0,
    inputs: graph.inputs.length,
    outputs: graph.outputs.length,
    modelHash: model.tfliteHash,
    modelFiles: modelFiles(board, model).map(([path, text]) => ({ path, text: String(text) })),
    templates: espIdfTemplates(engine).map((path) => ({ path, text: readTemplate(path) })),
    stackBytes: stackBytes[engine],
    banner: `tinyml ${packageVersion()}: ESP-IDF project of ${report.model.path} for ${board.id}`,
  });
  return new Map(files.map(({ path, text }) => [path, text]));
}
