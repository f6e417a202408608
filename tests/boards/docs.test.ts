import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { boardsTable } from '../../boards/boards-table.ts';
import { listBoards, readBoard } from '../../boards/load.ts';

const page = join(import.meta.dirname, '../../docs/boards.md');
const [start, end] = ['<!-- boards -->\n', '<!-- end of boards -->'];

it('docs/boards.md lists the boards as their files have them', () => {
  const text = readFileSync(page, 'utf8');
  const before = text.slice(0, text.indexOf(start) + start.length);
  const after = text.slice(text.indexOf(end));
  const wanted = `${before}${boardsTable(listBoards())}${after}`;
  if (process.env['UPDATE_DOCS']) writeFileSync(page, wanted);
  expect(readFileSync(page, 'utf8')).toBe(wanted);
});

it('the board file of docs/boards.md is a good one', () => {
  const [, example] = /```json\n([\s\S]*?)```/.exec(readFileSync(page, 'utf8'))!;
  expect(readBoard(example!, 'docs/boards.md')).toMatchObject({
    id: 'my-board',
    chip: { id: 'stm32f411ce' },
  });
});
