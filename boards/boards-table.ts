import type { Board, Rv32VirtBoard, Stm32f4Board } from './board.ts';
import { dataRam } from './board.ts';
import { espRows, isEsp } from './families/esp.ts';

const KIB = 1024;
const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;

function clockText({ clock, chip }: Stm32f4Board): string {
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

function stm32f4Rows(board: Stm32f4Board): string[][] {
  const { serial, led } = board;
  const port = `${serial.peripheral.toUpperCase()}, TX ${serial.tx}, RX ${serial.rx}, ${serial.baud} baud`;
  return [
    ['clock', clockText(board)],
    ['serial port', `${port}: ${serial.reach}`],
    ...(led ? [['LED', `${led.pin}, lit while the firmware runs`]] : []),
  ];
}

function rv32VirtRows({ chip, serial }: Rv32VirtBoard): string[][] {
  return [
    ['clock', `${chip.clock.sysclkHz / 1_000_000} MHz, as which times are told`],
    ['serial port', serial.reach],
  ];
}

function familyRows(board: Board): string[][] {
  if (isEsp(board)) return espRows(board);
  return board.family === 'stm32f4' ? stm32f4Rows(board) : rv32VirtRows(board);
}

function boardSection(board: Board): string {
  const { name, sources, flash } = board.chip;
  const rows = [
    ['chip', `${name} (${sources.datasheet}, ${sources.referenceManual})`],
    ['flash', `${flash.bytes / KIB} KiB`],
    ['RAM', ramText(board)],
    ...familyRows(board),
    ...board.flash.map((way) => [`flash: ${way.method}`, way.how]),
    ...board.usb.map(({ vid, pid, what }) => ['USB', `${hex(vid)}:${hex(pid)} ${what}`]),
  ];
  const table = rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n');
  return `### ${board.id}\n[${board.name}](${board.page}), ${board.vendor}\n\n| | |\n|---|---|\n${table}\n`;
}

/** The part of docs/boards.md that lists the boards, in Markdown. */
export function boardsTable(boards: readonly Board[]): string {
  return boards.map(boardSection).join('\n');
}
