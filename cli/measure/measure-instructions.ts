import { chooseBoard } from '../board/board-choice.ts';
import { withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import type { Context } from '../context.ts';
import { buildFirmware, firmwareModelOf } from '../firmware/firmware.ts';
import { convertOpenModel } from '../model/convert.ts';
import type { OpenModel } from '../model/open-model.ts';
import { connectBench, subjectOfConverted } from './bench-subject.ts';
import { notCounted } from './errors.ts';
import { measureBoard } from './measure-board.ts';

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
