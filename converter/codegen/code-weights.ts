import type { KernelCall } from '../ops/integer/kernel-call.ts';
import { type CodedStream, codedStreams } from './choice/coded-stream.ts';
import type { KernelChoice, MachineKernel } from './choice/kernel.ts';
import type { LayerCalls } from './plan-model-memory.ts';

/** Decoding may take this share of a layer's own instructions. */
const worthTime = 0.25;
/** Coded weights may take this share of the bytes. */
const worthBytes = 0.9;
/** Bytes of the decoder's code, which the layers together must save. */
const decoderBytes = 400;

type Choices = ReadonlyMap<KernelCall, KernelChoice>;

interface Candidate {
  readonly call: KernelCall;
  readonly choice: KernelChoice;
  readonly coded: CodedStream;
}

const roundUp = (bytes: number) => 4 * Math.ceil(bytes / 4);

/** Bytes of scratch memory before the decoded stream. */
export const decodedAt = ({ scratchBytes = 0 }: Pick<MachineKernel, 'scratchBytes'>): number =>
  roundUp(scratchBytes);

const percent = (part: number, whole: number) => `${Math.round((100 * part) / whole)} %`;

/** A coded form that is worth it, or why there is none; nothing for kernels without weights in a stream. */
function codingOf(
  { kernel }: KernelChoice,
  layerInstructions: number,
): { readonly coded: CodedStream } | { readonly declined: string } | undefined {
  if (!kernel?.stream || !kernel.layout) return undefined;
  const bytes = kernel.stream.byteLength;
  const [smallest, ...others] = codedStreams(kernel.stream, kernel.layout);
  if (!smallest || smallest.bytes > worthBytes * bytes)
    return { declined: `coded weights: ${percent(smallest?.bytes ?? bytes, bytes)} of the bytes` };
  const isQuick = ({ instructions }: CodedStream) => instructions <= worthTime * layerInstructions;
  const coded = [smallest, ...others].find((one) => isQuick(one) && one.bytes <= worthBytes * bytes);
  const time = percent(smallest.instructions, layerInstructions);
  return coded
    ? { coded }
    : { declined: `coded weights: decoding them would take ${time} of the layer's instructions` };
}

function withReason(choice: KernelChoice, reason: string): KernelChoice {
  return { ...choice, declined: [...choice.declined, reason] };
}

/** The choices with some layers coded; the others of `candidates` have no room to be decoded in. */
function applied(
  choices: Choices,
  chosen: readonly Candidate[],
  candidates: readonly Candidate[] = [],
): Choices {
  const refused = new Set(candidates.map(({ call }) => call));
  const coded = new Map(
    chosen.map(({ call, choice, coded: stream }): [KernelCall, KernelChoice] => [
      call,
      {
        ...choice,
        kernel: { ...choice.kernel!, coded: stream },
        form: `${choice.form}, ${stream.kernel === 'decode_lookup' ? 'looked-up' : 'entropy-coded'} weights`,
      },
    ]),
  );
  const otherwise = (call: KernelCall, choice: KernelChoice) =>
    refused.has(call)
      ? withReason(choice, 'coded weights: too little is saved, or no RAM to decode them in')
      : choice;
  return new Map([...choices].map(([call, choice]) => [call, coded.get(call) ?? otherwise(call, choice)]));
}

/**
 * Kernels with their weights coded in flash where that saves bytes, takes little time beside the layer itself, and does
 * not make the arena, in which the layer's weights are decoded first, larger than `limit`. `instructionsOf` is what a
 * layer takes by itself, about; `arenaOf` plans memory for some choices and tells its bytes.
 */
export function codeWeights(
  choices: Choices,
  calls: LayerCalls,
  instructionsOf: (call: KernelCall) => number,
  arenaOf: (choices: Choices) => number,
  limit: number,
): Choices {
  const explained = new Map(choices);
  const candidates: Candidate[] = [];
  for (const call of [...calls.values()].flat()) {
    const choice = choices.get(call)!;
    const coding = codingOf(choice, instructionsOf(call));
    if (coding && 'declined' in coding) explained.set(call, withReason(choice, coding.declined));
    if (coding && 'coded' in coding) candidates.push({ call, choice, coded: coding.coded });
  }
  if (candidates.length === 0) return explained;
  candidates.sort((a, b) => a.coded.streamBytes - b.coded.streamBytes);
  const room = Math.max(limit, arenaOf(choices));
  const fits = (list: readonly Candidate[]) => arenaOf(applied(choices, list)) <= room;
  // Each layer decodes in its own step, so that those which fit by themselves nearly always do together.
  const chosen = fits(candidates) ? candidates : candidates.filter((candidate) => fits([candidate]));
  while (!fits(chosen)) chosen.pop();
  const saved = chosen.reduce((sum, { coded }) => sum + coded.streamBytes - coded.bytes, 0);
  return applied(explained, saved > decoderBytes ? chosen : [], candidates);
}
