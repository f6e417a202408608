import { type Board, dataRam } from '../../boards/load.ts';
import type { Accuracy } from '../../converter/metrics/metric.ts';
import type { BenchReport } from '../measure/measure-board.ts';
import type { VerifyReport } from '../measure/verify-board.ts';
import type { ModelReport } from '../model/model-folder.ts';
import { benchPairs, renderProfile } from './bench-table.ts';
import { formatBytes, formatCount } from './format.ts';
import { accuracyText } from './score.ts';
import type { Style } from './style.ts';
import { renderPairs } from './table.ts';
import { renderVerdict } from './verdict.ts';

export interface DeployReport {
  readonly board: string;
  readonly accuracy: Accuracy | null;
  readonly convert: ModelReport;
  readonly verify: VerifyReport;
  readonly bench: BenchReport;
}

/** The one result of a deployment: what the model is worth, what it costs, where the time goes, and whether it is exact. */
export function renderDeploy(report: DeployReport, board: Board, style: Style): string {
  const { accuracy, convert, verify, bench } = report;
  const room = `${formatBytes(board.chip.flash.bytes)} flash, ${formatBytes(dataRam(board.chip).bytes)} RAM`;
  const pairs = renderPairs([
    ['model', `${convert.model.path} (${formatCount(convert.macs)} MACs, ${convert.quantize})`],
    ['board', `${board.name} (${board.chip.name}, ${room})`],
    ...(accuracy ? [['accuracy', accuracyText(accuracy)] as const] : []),
    ...benchPairs(bench),
  ]);
  return ['', renderProfile(bench), '', pairs, '', renderVerdict(verify, style)].join('\n');
}
