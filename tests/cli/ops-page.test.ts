import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { opsList, opsPage } from '../../cli/report/ops-page.ts';

test('docs/ops.md is what tinyml ops --markdown prints', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'ops.md'), 'utf8');
  expect(page, 'run: tinyml ops --markdown > docs/ops.md').toBe(opsPage(opsList()));
});
