import { findTool } from '../../tools/find-tool.ts';
import { severalBoardsFound } from '../errors.ts';
import { probeSilent } from './errors.ts';
import {
  chipIdOf,
  type Found,
  flashOrigin,
  type ProbeProgram,
  probeSeconds,
  writeSeconds,
} from './probe-program.ts';

interface ProbeRecord {
  readonly serial: string;
  readonly chipId: number;
}

/** What `st-info --probe` says of each probe; it takes no serial number. Versions differ in indents and other lines. */
function recordsOf(said: string): ProbeRecord[] {
  return said
    .split(/^\s*serial:\s*/m)
    .slice(1)
    .map((text) => ({
      serial: /^\S*/.exec(text)![0],
      chipId: chipIdOf(/^\s*chipid:\s*0x([0-9a-f]+)/im.exec(text)?.[1] ?? '0'),
    }));
}

/** stlink-tools before 1.7 write the characters of a serial number as hexadecimal digits. */
const writtenAs = (serial: string) => [serial, Buffer.from(serial, 'latin1').toString('hex')];

function choose(records: readonly ProbeRecord[], serial: string | undefined): ProbeRecord | undefined {
  if (serial === undefined) return records.length === 1 ? records[0] : undefined;
  const names = writtenAs(serial).map((name) => name.toLowerCase());
  return records.find((record) => names.includes(record.serial.toLowerCase()));
}

export const stFlash: ProbeProgram = {
  tool: 'st-flash',
  async look(run, { board, serial }): Promise<Found> {
    if (findTool('st-info') === undefined) return {};
    const records = recordsOf(await run('st-info', ['--probe'], probeSeconds));
    const chosen = choose(records, serial);
    const names = records.map((record) => record.serial);
    if (!chosen && names.length > 1) throw severalBoardsFound(board.id, names);
    if (!chosen)
      throw probeSilent(
        'st-info',
        'probe',
        names.map((name) => `it finds ${name}`),
      );
    if (chosen.chipId === 0) throw probeSilent('st-info', 'chip', []);
    return { chipId: chosen.chipId, ...(serial === undefined ? {} : { serial: chosen.serial }) };
  },
  write: (run, { board, serial }) =>
    run(
      'st-flash',
      [
        ...(serial === undefined ? [] : ['--serial', serial]),
        ...['--reset', 'write', 'firmware.bin', flashOrigin(board)],
      ],
      writeSeconds,
    ),
  proof: /flash written and verified/i,
};
