import { createHash } from 'node:crypto';
import { type Board, isEsp } from '../../boards/load.ts';
import type { ConvertedModel } from '../../converter/convert-model.ts';
import type { Graph } from '../../converter/ir/types.ts';
import { BenchClient } from '../../device/bench/bench-client.ts';
import { bootProblems } from '../../device/console/esp-boot-log.ts';
import { defaultWiring, espWiring, type Wiring } from '../../device/transport/wiring.ts';
import type { BoardLink } from '../board/board-link.ts';
import type { Context } from '../context.ts';

/** What a board is compared with and measured against. */
export interface BenchSubject {
  readonly name: string;
  readonly engine: string;
  readonly graph: Graph;
  readonly tflite: Uint8Array;
  /** In the order in which the firmware runs them. */
  readonly layers: readonly { readonly name: string; readonly op: string; readonly macs: number }[];
  /** Generated files by relative path. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}

export function subjectOfConverted(name: string, converted: ConvertedModel): BenchSubject {
  const { graph, tflite, layers, files } = converted;
  return { name, engine: 'aot', graph, tflite, layers, files };
}

/** First bytes of the SHA-256 of model.tflite, as the firmware carries them. */
function modelHashOf(tflite: Uint8Array): string {
  return createHash('sha256').update(tflite).digest('hex').slice(0, 16);
}

const wiringOf = (board: Board): Wiring => (isEsp(board) ? espWiring : defaultWiring);

/** What the ROM of an ESP chip said of a program that it started although it is not as it was built. */
function warnOfImage(context: Context, board: Board, client: BenchClient): void {
  for (const { kind, what, measure } of bootProblems(client.heardBeside))
    if (kind === 'starts all the same') context.output.warn(`${board.id}: ${what}; ${measure}`);
}

/** A client that compares bytes; what measures looks at the board's timer first, and refuses one that is of no use. */
export async function connectBench(
  context: Context,
  link: BoardLink,
  subject: BenchSubject,
): Promise<BenchClient> {
  const { board, transport } = link;
  const client = await BenchClient.connect(transport, {
    baud: board.serial.baud,
    wiring: wiringOf(board),
    expected: { modelHash: modelHashOf(subject.tflite), board: board.id },
    timed: false,
    signal: context.lifetime.signal,
  });
  if (isEsp(board)) warnOfImage(context, board, client);
  return client;
}
