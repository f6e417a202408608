import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { firmwareFacts, loadBoard } from '../../boards/load.ts';
import { generateAot } from '../../converter/codegen/aot.ts';
import { machineOf } from '../../converter/codegen/machine.ts';
import { bytesOf } from '../../converter/ir/tensor.ts';
import { elfSizes } from '../../firmware-templates/elf-sizes.ts';
import { arenaRoom } from '../../firmware-templates/fit.ts';
import {
  arenaSection,
  type BoardFacts,
  firmwareTemplates,
  renderFirmware,
} from '../../firmware-templates/render.ts';
import { buildPlan } from '../firmware/build-firmware.ts';
import { boot, type Emulated, type Running } from '../firmware/emulator.ts';
import { type Golden, goldenInput, int8Models, readGolden } from '../support/golden.ts';
import { kernelTexts, provenance, templateText } from '../support/host-c.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();
const present = (tool: string) => spawnSync(tool, ['--version']).status === 0;

/** Emulated boards, each with its own kernels, and the tools they need. */
const machines: readonly {
  readonly id: Emulated;
  readonly tools: readonly string[];
  readonly vectors?: number;
}[] = [
  { id: 'virtual-stm32f405', tools: ['arm-none-eabi-gcc', 'qemu-system-arm'] },
  { id: 'virtual-rv32imc', tools: ['riscv64-unknown-elf-gcc', 'qemu-system-riscv32'] },
  // Interpreters of our own: the vector with the hashes of all layers says most.
  { id: 'virtual-esp32c3', tools: ['riscv64-unknown-elf-gcc'], vectors: 1 },
  { id: 'virtual-esp32', tools: ['xtensa-lx106-elf-gcc'], vectors: 1 },
];

const request = { load: 0x02, run: 0x03, read: 0x04, profile: 0x05, hashes: 0x07 } as const;

/** Sent once after reset; what arrives before it is lost. */
const readyFrame = 0xf1;

const stackBytes = 4096;

/** Memories other than the board's own. */
type Split = Pick<BoardFacts, 'ram' | 'arenaRam'>;

/** Builds the benchmark firmware around a network; the folder is the caller's to remove. */
function buildFirmware({ graph }: Golden, id: Emulated, split?: Split): string {
  const board = { ...firmwareFacts(loadBoard(id)), ...split };
  const regions = split && [
    { bytes: arenaRoom(board, { layers: graph.nodes.length, stackBytes }) },
    ...split.arenaRam.map((memory) => ({ bytes: memory.bytes, section: arenaSection(memory) })),
  ];
  const model = generateAot(graph, {
    ...provenance,
    optimize: 'speed',
    machine: machineOf(board.cpu),
    ...(regions ? { regions } : {}),
    kernels: kernelTexts,
  });
  const plan = renderFirmware({
    board,
    model: {
      layers: model.layers.length,
      inputKept: model.inputKept,
      weightsBytes: model.weightsBytes,
      arenaBytes: model.arenaBytes,
    },
    modelFiles: [...model.files].map(([path, text]) => ({ path, text })),
    templates: firmwareTemplates(board.family).map((path) => ({ path, text: templateText(path) })),
    optimize: 'speed',
    stackBytes,
    banner: 'made for a test',
  });
  return buildPlan(plan);
}

const words = (...values: readonly number[]) => Buffer.from(Uint32Array.from(values).buffer);

/** Largest part of an input that fits one frame beside its header. */
const partBytes = 1000;

async function load({ client }: Running, input: Int8Array): Promise<void> {
  for (let at = 0; at < input.length; at += partBytes) {
    const part = bytesOf(input.subarray(at, at + partBytes));
    const answer = await client.ask(request.load, Buffer.concat([Buffer.from([0]), words(at), part]));
    expect(answer.type).toBe(request.load | 0x80);
  }
}

async function outputOf({ client }: Running, count: number): Promise<number[]> {
  const ask = Buffer.from([0, 0, 0, 0, 0, count & 0xff, count >> 8]);
  const { body } = await client.ask(request.read, ask);
  return Array.from(new Int8Array(body.buffer, body.byteOffset, body.length));
}

async function hashesOf({ client }: Running, count: number): Promise<string[]> {
  await client.ask(request.profile, words(1));
  const { body } = await client.ask(request.hashes, Buffer.from(Uint16Array.of(0, count).buffer));
  return Array.from({ length: count }, (_, i) =>
    body
      .readUInt32LE(4 + 4 * i)
      .toString(16)
      .padStart(8, '0'),
  );
}

/** Runs every golden vector; the first of each network has the hashes of all layers. */
async function expectGoldens(running: Running, { graph, vectors }: Golden, count?: number): Promise<void> {
  expect(await running.client.next()).toMatchObject({ type: readyFrame });
  expect(vectors.some(({ layers }) => layers)).toBe(true);
  for (const { seed, outputs, layers } of vectors.slice(0, count)) {
    await load(running, goldenInput(graph, seed));
    if (layers) {
      const hashes = await hashesOf(running, graph.nodes.length);
      const byName = new Map(graph.nodes.map((node, i) => [node.outputs[0]!, hashes[i]]));
      expect(layers.map((layer) => byName.get(layer.name))).toEqual(layers.map((layer) => layer.fnv1a));
    } else {
      await running.client.ask(request.run, words(1, seed));
    }
    expect(await outputOf(running, outputs[0]!.data.length)).toEqual(outputs[0]!.data);
  }
}

describe.each(machines)('on $id', ({ id, tools, vectors }) => {
  const missing = tools.filter((tool) => !present(tool));
  const why = shared ? missing.join(', ') : '../shared';

  it.skipIf(!shared || missing.length > 0).each(int8Models)(
    `%s gives the golden outputs and layers${why ? ` (skipped without ${why})` : ''}`,
    async (name) => {
      const golden = readGolden(shared!, name);
      const folder = buildFirmware(golden, id);
      const running = await boot(folder, id);
      try {
        await expectGoldens(running, golden, vectors);
      } finally {
        await running.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    240_000,
  );
});

describe('on a machine whose RAM is in two parts', () => {
  /** The emulated chip's memory, of which it has more than the real one has in one place. */
  const split: Split = {
    ram: { origin: 0x20000000, bytes: 32 * 1024 },
    arenaRam: [{ name: 'second', origin: 0x20020000, bytes: 32 * 1024 }],
  };
  const [{ id, tools }] = machines as [(typeof machines)[number]];
  const missing = tools.filter((tool) => !present(tool));
  const why = shared ? missing.join(', ') : '../shared';

  it.skipIf(!shared || missing.length > 0)(
    `ic, which neither part has room for, gives the golden outputs and layers${why ? ` (skipped without ${why})` : ''}`,
    async () => {
      const golden = readGolden(shared!, 'ic_int8');
      const folder = buildFirmware(golden, id, split);
      const { ram } = elfSizes(readFileSync(join(folder, 'firmware.elf')));
      expect(ram.elsewhere).toEqual([{ name: 'second', bytes: expect.any(Number) }]);
      expect(ram.arena).toBeGreaterThan(split.ram.bytes);
      const running = await boot(folder, id);
      try {
        await expectGoldens(running, golden);
      } finally {
        await running.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
