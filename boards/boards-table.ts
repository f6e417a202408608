import type { Board } from './board.ts';
import { dataRam } from './board.ts';

const KIB = 1024;
const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;

function clockText({ clock, chip }: Board): string {
  const megahertz = (hz: number) => `${hz / 1_000_000} MHz`;
  if (clock.source === 'internal') return `${megahertz(chip.clock.sysclkHz)} from the internal oscillator`;
  const source = clock.source === 'crystal' ? 'a crystal of' : 'a clock fed in at';
  return `${megahertz(chip.clock.sysclkHz)} from ${source} ${megahertz(clock.hz)}`;
}

function ramText(board: Board): string {
  const unused = board.chip.ram.filter(({ use }) => use === 'none');
  const rest = unused.map(
    ({ name, bytes }) => `, and ${bytes / KIB} KiB of ${name.toUpperCase()} that stays free`,
  );
  return `${dataRam(board.chip).bytes / KIB} KiB${rest.join('')}`;
}

function boardSection(board: Board): string {
  const { serial, led } = board;
  const rows = [
    ['chip', `${board.chip.name} (${board.chip.sources.datasheet}, ${board.chip.sources.referenceManual})`],
    ['flash', `${board.chip.flash.bytes / KIB} KiB`],
    ['RAM', ramText(board)],
    ['clock', clockText(board)],
    [
      'serial port',
      `${serial.peripheral.toUpperCase()}, TX ${serial.tx}, RX ${serial.rx}, ${serial.baud} baud: ${serial.reach}`,
    ],
    ...board.flash.map((way) => [`flash: ${way.method}`, way.how]),
    ...(led ? [['LED', `${led.pin}, lit while the firmware runs`]] : []),
    ...board.usb.map(({ vid, pid, what }) => ['USB', `${hex(vid)}:${hex(pid)} ${what}`]),
  ];
  const table = rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n');
  return `### ${board.id}\n[${board.name}](${board.page}), ${board.vendor}\n\n| | |\n|---|---|\n${table}\n`;
}

/** The part of docs/boards.md that lists the boards, in Markdown. */
export function boardsTable(boards: readonly Board[]): string {
  return boards.map(boardSection).join('\n');
}
