import { chooseBoard } from '../board-choice.ts';
import type { Context } from '../context.ts';
import { notCounted } from '../errors.ts';
import { connectBench, subjectOfConverted } from './bench-subject.ts';
import { withBoard } from './board-link.ts';
import { convertOpenModel } from './convert.ts';
import { buildFirmware, firmwareModelOf } from './firmware.ts';
import { flashBoard } from './flash-board.ts';
import { measureBoard } from './measure-board.ts';
import type { OpenModel } from './open-model.ts';

/** The same context with nothing said, for measurements that are a part of something larger. */
function quietly(context: Context): Context {
  return {
    ...context,
    output: { ...context.output, note() {}, warn() {}, detail() {}, step: (_, run) => run(() => {}) },
  };
}

/** Instructions of one inference of a model on a board that counts them exactly, quantized with `calib`. */
export async function measureInstructions(
  context: Context,
  model: OpenModel,
  calib: string,
  boardId: string,
): Promise<number> {
  const quiet = quietly(context);
  const board = chooseBoard(boardId);
  const converted = await convertOpenModel(quiet, model, { calib });
  const image = await buildFirmware(quiet, board, firmwareModelOf(model.name, converted, 'speed'));
  const subject = subjectOfConverted(model.path, converted);
  const report = await withBoard(quiet, board, undefined, async (link) => {
    await flashBoard(quiet, link, image.bin, () => {});
    const client = await connectBench(quiet, link, subject);
    return measureBoard(client, link, subject, { runs: 1, sizes: image.sizes }, () => {});
  });
  if (report.instructions === null) throw notCounted(boardId);
  return report.instructions;
}
