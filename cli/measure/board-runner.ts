import { tensorOf } from '../../converter/ir/graph.ts';
import { bytesOf, fromBytes } from '../../converter/ir/tensor.ts';
import type { TensorData } from '../../converter/ir/types.ts';
import { chooseBoard } from '../board/board-choice.ts';
import { withBoard } from '../board/board-link.ts';
import { flashBoard } from '../board/flash-board.ts';
import type { Context } from '../context.ts';
import type { SampleRunner } from '../engine/engines.ts';
import { buildFirmware, firmwareModelOf } from '../firmware/firmware.ts';
import { connectBench, subjectOfConverted } from './bench-subject.ts';

/** Builds, flashes and runs samples on a board, for `--engine board`. */
export function boardRunner(
  context: Context,
  options: { readonly board: string; readonly port?: string },
): SampleRunner {
  return async (converted, samples) => {
    const board = chooseBoard(options.board);
    const { output } = context;
    const firmware = await output.step(`build for ${board.id}`, () =>
      buildFirmware(context, board, firmwareModelOf('model', converted, 'speed')),
    );
    return withBoard(context, board, options.port, async (link) => {
      await output.step(`flash ${board.id}`, (progress) => flashBoard(context, link, firmware.bin, progress));
      const { graph } = converted;
      const client = await connectBench(context, link, subjectOfConverted('model', converted));
      const types = graph.outputs.map((port) => tensorOf(graph, port.value).type);
      return output.step(`run on ${board.id}`, async (progress) => {
        const results: TensorData[][] = [];
        for (const sample of samples) {
          progress(`sample ${results.length + 1} of ${samples.length}`);
          const { outputs } = await client.infer(sample.map(bytesOf));
          results.push(outputs.map((bytes, i) => fromBytes(types[i]!.dtype, bytes)));
        }
        return results;
      });
    });
  };
}
