import { bytesOf } from '../../converter/ir/tensor.ts';
import type { BenchClient } from '../../device/bench/bench-client.ts';
import type { ImageSizes } from '../../firmware-templates/elf-sizes.ts';
import type { BoardLink } from '../board/board-link.ts';
import { testVector } from '../engine/test-vectors.ts';
import type { Progress } from '../output.ts';
import type { BenchSubject } from './bench-subject.ts';

export interface LayerBench {
  readonly name: string;
  readonly op: string;
  readonly macs: number;
  readonly us: number;
  readonly instructions: number | null;
}

export interface BenchReport {
  readonly board: string;
  readonly engine: string;
  readonly model: string;
  readonly runs: number;
  readonly unit: { readonly latency: 'us' };
  readonly latencyUs: Readonly<Record<'min' | 'median' | 'p95' | 'p99' | 'max', number>>;
  /** How the times were come by where the board has no clock of its own, otherwise null. */
  readonly modelled: string | null;
  readonly instructions: number | null;
  readonly cycles: number | null;
  readonly clockHz: number;
  readonly flash: Pick<ImageSizes, 'image' | 'weights' | 'code' | 'other'> | null;
  readonly ram: { readonly arena: number; readonly static: number; readonly stackUsed: number };
  readonly initUs: number;
  /** Of the model's initialization, where the board counts instructions. */
  readonly initInstructions: number | null;
  readonly layers: readonly LayerBench[];
}

/** The value below which a share of the sorted samples lies (nearest rank). */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

function latencies(sorted: readonly number[], toUs: (ticks: number) => number): BenchReport['latencyUs'] {
  const at = (share: number) => toUs(percentile(sorted, share));
  return { min: toUs(sorted[0]!), median: at(0.5), p95: at(0.95), p99: at(0.99), max: toUs(sorted.at(-1)!) };
}

/** Of every emulator that counts ticks of its own. */
const instructionHz = 1e9;

/**
 * What one tick is worth. An emulated board counts instructions exactly but has no time; there the real chip's clock is
 * taken, at one instruction a cycle, and the report says so.
 */
function timeOf(client: BenchClient, link: BoardLink) {
  const { tickUnit, tickHz, clockHz } = client.hello;
  const { sysclkHz } = link.board.chip.clock;
  if (tickUnit === 'cycle' || (tickUnit === 'timer' && !link.board.emulator)) {
    return { toUs: (ticks: number) => (ticks / tickHz) * 1e6, clockHz, modelled: null };
  }
  // The emulator takes a nanosecond for each instruction, whatever its timer counts.
  const perTick = tickUnit === 'instruction' ? 1 : instructionHz / tickHz;
  const counted = perTick > 1 ? `, counted in steps of ${Math.round(perTick)}` : '';
  const modelled = `one instruction a cycle at ${sysclkHz / 1e6} MHz${counted}`;
  return { toUs: (ticks: number) => ((perTick * ticks) / sysclkHz) * 1e6, clockHz: sysclkHz, modelled };
}

function flashOf({ image, weights, code, other }: ImageSizes): BenchReport['flash'] {
  return { image, weights, code, other };
}

/** Measures latency over `runs` inferences, memory, and the time of every layer. */
export async function measureBoard(
  client: BenchClient,
  link: BoardLink,
  subject: BenchSubject,
  options: { readonly runs: number; readonly sizes: ImageSizes | undefined },
  progress: Progress,
): Promise<BenchReport> {
  const inputs = testVector(subject.graph, 1).map(bytesOf);
  const ticks = await client.measure(inputs, {
    runs: options.runs,
    onSample: (done) => progress(`inference ${done} of ${options.runs}`),
  });
  const { ticks: layerTicks } = await client.profile(inputs);
  const memory = await client.memory();
  const { toUs, clockHz, modelled } = timeOf(client, link);
  const sorted = [...ticks].sort((a, b) => a - b);
  const median = percentile(sorted, 0.5);
  const { tickUnit } = client.hello;
  return {
    board: client.hello.board,
    engine: subject.engine,
    model: subject.name,
    runs: ticks.length,
    unit: { latency: 'us' },
    latencyUs: latencies(sorted, toUs),
    modelled,
    instructions: tickUnit === 'instruction' ? median : null,
    cycles: tickUnit === 'cycle' ? median : null,
    clockHz,
    flash: options.sizes ? flashOf(options.sizes) : null,
    ram: { arena: memory.arena, static: memory.static, stackUsed: memory.stackUsed },
    initUs: toUs(memory.initTicks),
    initInstructions: tickUnit === 'instruction' ? memory.initTicks : null,
    layers: layerTicks.map((one, i) => {
      const { name = `layer ${i}`, op = '', macs = 0 } = subject.layers[i] ?? {};
      return { name, op, macs, us: toUs(one), instructions: tickUnit === 'instruction' ? one : null };
    }),
  };
}
