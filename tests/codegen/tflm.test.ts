import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateTflm } from '../../converter/codegen/tflm.ts';
import { writeTflite } from '../../converter/formats/tflite/write.ts';
import { makers, Random } from '../kernels/problems.ts';
import { int8Models, readGolden } from '../support/golden.ts';
import { provenance } from '../support/host-c.ts';
import { sharedFolder } from '../support/oracle.ts';

const shared = sharedFolder();

/** Arena bytes that TFLM with CMSIS-NN reported as used on the emulated board. */
function measuredArena(name: string): number {
  const { cortex_m4 } = JSON.parse(readFileSync(join(shared!, 'baselines.json'), 'utf8')) as {
    cortex_m4: Record<string, { arena: number }>;
  };
  return cortex_m4[name.replace(/_(int8|quantized)$/, '')]!.arena;
}

function generate(name: string) {
  const { graph } = readGolden(shared!, name);
  const tflite = new Uint8Array(readFileSync(join(shared!, 'models', `${name}.tflite`)));
  return { tflite, program: generateTflm(tflite, graph, provenance) };
}

describe.skipIf(!shared)('TensorFlow Lite Micro files (skipped without ../shared)', () => {
  it.each(int8Models)('%s: the arena is enough and at most 15 % too large', (name) => {
    const { program } = generate(name);
    const ratio = program.arenaBytes / measuredArena(name);
    expect(ratio).toBeGreaterThanOrEqual(1);
    expect(ratio).toBeLessThanOrEqual(1.15);
  });

  it('registers exactly the operators of the model, each once', () => {
    const { program } = generate('kws_int8');
    const text = program.files.get('op_resolver.h')!;
    expect(text).toContain('MicroMutableOpResolver<6>');
    expect([...text.matchAll(/resolver\.(Add\w+)\(\)/g)].map((match) => match[1])).toEqual([
      'AddAveragePool2D',
      'AddConv2D',
      'AddDepthwiseConv2D',
      'AddFullyConnected',
      'AddReshape',
      'AddSoftmax',
    ]);
  });

  it('holds the file byte for byte, aligned', () => {
    const { program, tflite } = generate('hello_world_int8');
    const text = program.files.get('model_data.cc')!;
    expect(text).toContain('alignas(16) const unsigned char g_model[]');
    const bytes = [...text.matchAll(/0x([0-9a-f]{2}),/g)].map((match) => Number.parseInt(match[1]!, 16));
    expect(Uint8Array.from(bytes)).toEqual(tflite);
    expect(text).toContain(`g_model_len = ${tflite.length};`);
  });
});

it('names the layer that the runtime has no kernel for', () => {
  const [, make] = makers.find(([op]) => op === 'reluN1To1')!;
  const { graph } = make(new Random(1));
  expect(() => generateTflm(writeTflite(graph), graph, provenance)).toThrowError(/layer\/reluN1To1/);
});
