import { type BareDevice, type PortReport, reportBareDevices, reportPorts } from '../board/port-report.ts';
import { defineCommand } from '../command.ts';
import { renderTable } from '../report/table.ts';

function useOf({ holders, access }: PortReport): string {
  if (holders.length > 0)
    return `held by ${holders.map(({ pid, program }) => `${program} (${pid})`).join(', ')}`;
  if (access === null || access.allowed) return 'free';
  if (access.group === undefined) return 'no permission';
  return `no permission: group ${access.group}${access.loginAgain ? ', log in again' : ''}`;
}

const listed = (boards: readonly string[]) => boards.join(', ');

function portTable(ports: readonly PortReport[]): string {
  const rows = ports.map((port) => [
    port.path,
    port.vendorId ? `${port.vendorId}:${port.productId}` : '',
    port.serialNumber ?? '',
    port.product ?? port.manufacturer ?? port.what ?? '',
    listed(port.boards),
    useOf(port),
  ]);
  const titles = ['port', 'usb', 'serial number', 'device', 'may be', 'use'];
  return renderTable(
    titles.map((title) => ({ title })),
    rows,
  );
}

function bareLines(devices: readonly BareDevice[]): string[] {
  return devices.map(
    ({ usb, what, boards }) => `on USB without a serial port: ${usb} ${what} (${listed(boards)})`,
  );
}

function joinLines(ports: readonly PortReport[]): string[] {
  const closed = ports.filter(
    ({ access }) => access?.allowed === false && access.group && !access.loginAgain,
  );
  const groups = [...new Set(closed.map(({ access }) => access!.group))];
  return groups.map((group) => `to be allowed: sudo usermod -aG ${group} "$USER", then log in again`);
}

export const command = defineCommand({
  usage: '',
  paths: [],
  description:
    'Lists the serial ports of this machine, the boards that may be behind them, who holds each, and whether you may open it.',
  examples: ['tinyml ports', 'tinyml ports --json'],
  options: [],
  async run(context) {
    const ports = await reportPorts();
    const devices = reportBareDevices(ports);
    context.output.result({ ports, devices }, () => {
      const table =
        ports.length === 0
          ? 'no serial ports; the default board virtual-stm32f405 needs none. tinyml doctor finds out why a board is missing'
          : portTable(ports);
      return [table, ...bareLines(devices), ...joinLines(ports)].join('\n');
    });
    return 0;
  },
});
