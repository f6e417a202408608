import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { constantArray } from '../../converter/codegen/c-text.ts';
import {
  type CodedStream,
  codedStreams,
  type StreamLayout,
} from '../../converter/codegen/choice/coded-stream.ts';
import { Random } from '../kernels/problems.ts';
import { hasHostCompiler, kernelTexts, warningFlags } from '../support/host-c.ts';

interface Case {
  readonly stream: Int32Array;
  readonly layout: StreamLayout;
}

/** How the weights of a case are made, with names for messages. */
const weightMakers: readonly (readonly [string, (random: Random) => () => number])[] = [
  ['16 values', (random) => few(random, 16)],
  ['2 values', (random) => few(random, 2)],
  ['11 values', (random) => few(random, 11)],
  ['32 values', (random) => few(random, 32)],
  ['60 values', (random) => few(random, 60)],
  ['mostly zeros', (random) => () => (random.next() < 0.2 ? random.integer(-128, 127) : 0)],
  ['all zeros', () => () => 0],
  ['steep', (random) => () => Math.trunc(128 * (2 * random.next() - 1) ** 9)],
];

function few(random: Random, count: number): () => number {
  const values = Array.from({ length: count }, () => random.integer(-128, 127));
  return () => random.pick(values);
}

/** Half a word: of the dual form c0 + 256 * c1. */
const half = (dual: boolean, a: number, b: number) =>
  dual ? (a + 256 * b) & 0xffff : (a & 0xff) | ((b & 0xff) << 8);

function makeCase(random: Random, make: (random: Random) => () => number, dual: boolean): Case {
  const layout = {
    prefix: random.pick([0, 2]),
    groups: random.integer(1, 9),
    head: random.pick([2, 4]),
    body: random.integer(20, 90),
    tail: random.pick([2, 4, 8]),
    dual,
  };
  const weight = make(random);
  const any = (count: number) => Array.from({ length: count }, () => random.integer(-(2 ** 31), 2 ** 31 - 1));
  const word = () => half(dual, weight(), weight()) | (half(dual, weight(), weight()) << 16);
  const group = () => [
    ...any(layout.head),
    ...Array.from({ length: layout.body }, word),
    ...any(layout.tail),
  ];
  const words = [...any(layout.prefix), ...Array.from({ length: layout.groups }, group).flat()];
  return { layout, stream: Int32Array.from(words) };
}

function program(coded: readonly (CodedStream & { readonly stream: Int32Array })[]): string {
  const constants = coded.flatMap(({ words, coded: codes, table, stream }, i) => [
    constantArray(`words_${i}`, words),
    constantArray(`codes_${i}`, codes),
    constantArray(`table_${i}`, table),
    constantArray(`stream_${i}`, stream),
  ]);
  const checks = coded.map(({ kernel, params, stream }, i) => {
    const members = Object.entries(params).map(([name, value]) => `.${name} = ${value}`);
    return `\t{
		static const struct tml_decode p = {${members.join(', ')}};
		uint32_t *made = malloc(sizeof stream_${i});
		tml_${kernel}(&p, words_${i}, codes_${i}, table_${i}, made);
		if (memcmp(made, stream_${i}, ${stream.byteLength}) != 0)
			printf("%d ", ${i});
		free(made);
	}`;
  });
  return [
    '#include "tml_decode.h"\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>',
    ...constants,
    `int main(void)\n{\n${checks.join('\n')}\n\treturn 0;\n}`,
  ].join('\n');
}

describe('coded weights', () => {
  it.skipIf(!hasHostCompiler())(
    'are decoded to the stream that they were made from, by C under sanitizers (skipped without gcc)',
    { timeout: 120_000 },
    () => {
      const random = new Random(404);
      const named = weightMakers.flatMap(([name, make]) =>
        [true, false, true, false].map((dual) => ({ name, ...makeCase(random, make, dual) })),
      );
      const all = named.flatMap(({ name, stream, layout }) =>
        codedStreams(stream, layout).map((coded) => ({ ...coded, stream, name })),
      );
      const kinds = new Set(all.map(({ kernel, params }) => `${kernel} ${params['bits']} ${params['dual']}`));
      for (const bits of [1, 4, 5, 6])
        for (const dual of [0, 1]) expect(kinds).toContain(`decode_lookup ${bits} ${dual}`);
      expect(kinds).toContain('decode_entropy 0 0');
      expect(kinds).toContain('decode_entropy 0 1');
      const folder = mkdtempSync(join(tmpdir(), 'tinyml-coded-'));
      try {
        for (const name of ['tml_decode.h', 'tml_common.h'])
          writeFileSync(join(folder, name), kernelTexts.get(name)!);
        writeFileSync(join(folder, 'main.c'), program(all));
        const flags = [...warningFlags, '-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-O1'];
        execFileSync('gcc', [...flags, 'main.c', '-o', 'main'], { cwd: folder, stdio: 'pipe' });
        const wrong = execFileSync(join(folder, 'main'), { encoding: 'utf8' }).trim().split(' ');
        expect(wrong.filter((text) => text !== '').map((text) => all[Number(text)]!.name)).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  it('take about half the bytes for 16 values, a sixth for zeros, and are not offered for noise', () => {
    const random = new Random(9);
    const smallest = (make: () => number) => {
      const layout = { prefix: 0, groups: 8, head: 2, body: 288, tail: 4, dual: false };
      const { stream } = { stream: Int32Array.from({ length: 8 * 294 }, () => wordOf(make)) };
      return (codedStreams(stream, layout)[0]?.bytes ?? stream.byteLength) / stream.byteLength;
    };
    const wordOf = (make: () => number) => half(false, make(), make()) | (half(false, make(), make()) << 16);
    expect(smallest(few(random, 16))).toBeLessThan(0.56);
    expect(smallest(() => 0)).toBeLessThan(0.17);
    expect(smallest(() => random.integer(-128, 127))).toBe(1);
  });
});
