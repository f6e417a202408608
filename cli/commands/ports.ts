import { listBoards } from '../../boards/load.ts';
import { listPorts, type PortInfo } from '../../device/transport/list-ports.ts';
import { defineCommand } from '../command.ts';
import { renderTable } from '../report/table.ts';

/** Boards whose USB ids are those of a port; several share an adapter's. */
function boardsBehind(port: PortInfo): string[] {
  const vid = Number.parseInt(port.vendorId ?? '', 16);
  const pid = Number.parseInt(port.productId ?? '', 16);
  return listBoards()
    .filter((board) => board.usb.some((ids) => ids.vid === vid && ids.pid === pid))
    .map((board) => board.id);
}

export const command = defineCommand({
  usage: '',
  description: 'Lists the serial ports of this machine and the boards that may be behind them.',
  examples: ['tinyml ports', 'tinyml ports --json'],
  options: [],
  async run(context) {
    const ports = (await listPorts()).map((port) => ({ ...port, boards: boardsBehind(port) }));
    context.output.result({ ports }, () => {
      if (ports.length === 0) return 'no serial ports; the default board virtual-stm32f405 needs none';
      const usb = (port: PortInfo) => (port.vendorId ? `${port.vendorId}:${port.productId}` : '');
      const rows = ports.map((port) => [
        port.path,
        usb(port),
        port.manufacturer ?? '',
        port.boards.join(', '),
      ]);
      return renderTable(
        [{ title: 'port' }, { title: 'usb' }, { title: 'maker' }, { title: 'boards' }],
        rows,
      );
    });
    return 0;
  },
});
