import type { Channel } from '../choice/channel.ts';
import { type Finish, noFinish } from './finish.ts';
import { coveredPositions } from './packed-stream.ts';
import { StreamWriter } from './stream-writer.ts';

const together = 8;

/** The plain form's stream. */
export function plainStream(channels: readonly Channel[], finish: Finish, taps: number): Int32Array {
  const writer = new StreamWriter();
  for (let first = 0; first < channels.length; first += together) {
    const block = Array.from({ length: together }, (_, j) => channels[first + j]);
    const finishes = block.map((_, j) => finish.channels[first + j] ?? noFinish(finish));
    for (const [j, channel] of block.entries())
      writer.words(((channel?.start ?? 0) + finishes[j]!.delta) | 0);
    for (let k = 0; k < coveredPositions(taps); k++)
      writer.bytes(...block.map((channel) => channel?.weights[k] ?? 0));
    for (const { words } of finishes) writer.words(...words);
  }
  return writer.finish();
}
