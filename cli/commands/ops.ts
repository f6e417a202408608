import { ops } from '../../converter/ops/index.ts';
import { defineCommand } from '../command.ts';
import { renderTable } from '../report/table.ts';

const yes = (has: boolean) => (has ? 'yes' : 'no');

export const command = defineCommand({
  usage: '',
  description: 'Lists the operators that tinyml converts, and what each can do.',
  examples: ['tinyml ops', 'tinyml ops --json'],
  options: [],
  async run(context) {
    const rows = ops.map((op) => ({
      name: op.name,
      summary: op.summary,
      float: op.float !== undefined,
      int8: op.integer !== undefined,
    }));
    context.output.result({ ops: rows }, () =>
      renderTable(
        [{ title: 'operator' }, { title: 'float' }, { title: 'int8' }, { title: 'what it does' }],
        rows.map((row) => [row.name, yes(row.float), yes(row.int8), row.summary]),
      ),
    );
    return 0;
  },
});
