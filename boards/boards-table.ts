import type { Board, Rv32VirtBoard } from './board.ts';
import { coreHz, dataRam } from './board.ts';
import { espRows, isEsp } from './families/esp.ts';
import { fullSpeedHz, type Stm32Board } from './families/stm32.ts';

const KIB = 1024;
const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;

const megahertz = (hz: number) => `${hz / 1_000_000} MHz`;

function clockText(board: Stm32Board): string {
  const { clock } = board;
  const speed = megahertz(fullSpeedHz(board));
  if (clock.source === 'internal') return `${speed} from the internal oscillator`;
  const source = clock.source === 'crystal' ? 'a crystal of' : 'a clock fed in at';
  return `${speed} from ${source} ${megahertz(clock.hz)}`;
}

function ramText(board: Board): string {
  const others = board.chip.ram.filter(({ use }) => use !== 'data');
  const rest = others.map(({ name, bytes, use }) => {
    const isUsed = use === 'arena' && !board.emulator;
    const what = isUsed ? "for what of a model's arena does not fit there" : 'that stays free';
    return `, and ${bytes / KIB} KiB of ${name.toUpperCase()} ${what}`;
  });
  return `${dataRam(board.chip).bytes / KIB} KiB${rest.join('')}`;
}

function stm32Rows(board: Stm32Board): string[][] {
  const { serial, led } = board;
  const port = `${serial.peripheral.toUpperCase()}, TX ${serial.tx}, RX ${serial.rx}, ${serial.baud} baud`;
  return [
    ['clock', clockText(board)],
    ['serial port', `${port}: ${serial.reach}`],
    ...(led ? [['LED', `${led.pin}, lit while the firmware runs`]] : []),
    ...(board.note ? [['note', board.note]] : []),
  ];
}

function rv32VirtRows({ chip, serial }: Rv32VirtBoard): string[][] {
  return [
    ['clock', `${megahertz(chip.clock.sysclkHz)}, as which times are told`],
    ['serial port', serial.reach],
  ];
}

function familyRows(board: Board): string[][] {
  if (isEsp(board)) return espRows(board);
  return board.family === 'stm32' ? stm32Rows(board) : rv32VirtRows(board);
}

const table = (rows: readonly (readonly string[])[]) =>
  rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');

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
  return `### ${board.id}\n[${board.name}](${board.page}), ${board.vendor}\n\n| | |\n|---|---|\n${table(rows)}\n`;
}

function overview(boards: readonly Board[]): string {
  const rows = boards.map((board) => [
    `[${board.id}](#${board.id})`,
    board.chip.name,
    board.chip.cpu,
    String(coreHz(board) / 1_000_000),
    String(board.chip.flash.bytes / KIB),
    String(dataRam(board.chip).bytes / KIB),
    board.flash.map(({ method }) => method).join(', '),
  ]);
  const head = [
    ['board', 'chip', 'core', 'MHz', 'flash KiB', 'RAM KiB', 'flashed by'],
    ['---', '---', '---', '---:', '---:', '---:', '---'],
  ];
  return `${table([...head, ...rows])}\n`;
}

/** The part of docs/boards.md that lists the boards, in Markdown: a line for each, then a section for each. */
export function boardsTable(boards: readonly Board[]): string {
  return [overview(boards), ...boards.map(boardSection)].join('\n');
}
