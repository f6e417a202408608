import { defineCommand } from '../command.ts';
import { opsList, opsPage, yesNo } from '../report/ops-page.ts';
import { renderTable } from '../report/table.ts';

interface OpsOptions {
  readonly markdown?: boolean;
}

export const command = defineCommand<OpsOptions>({
  usage: '',
  paths: [],
  description: 'Lists the operators that tinyml converts, and what each can do.',
  examples: ['tinyml ops', 'tinyml ops --json', 'tinyml ops --markdown > ops.md'],
  options: [{ flags: '--markdown', help: 'the page docs/ops.md' }],
  async run(context, _args, options) {
    const list = opsList();
    context.output.result(list, () => {
      if (options.markdown) return opsPage(list).trimEnd();
      const columns = ['operator', 'float', 'int8', 'C', 'what it does'].map((title) => ({ title }));
      const rows = list.ops.map((row) => [
        row.name,
        yesNo(row.float),
        yesNo(row.int8),
        yesNo(row.c),
        row.summary,
      ]);
      return `${renderTable(columns, rows)}\n\nONNX operators: ${list.onnx.map(({ op }) => op).join(', ')}`;
    });
    return 0;
  },
});
