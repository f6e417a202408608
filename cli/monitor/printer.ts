import { visibleLine } from '../../common/visible-text.ts';
import { openToAppend } from '../files/output-file.ts';
import { jsonLine } from '../output.ts';
import type { Style } from '../report/style.ts';
import { printBytes, printLine } from '../standard-streams.ts';

/** Something that happened beside the text: a lost device, a crash, a restart. */
export interface Happening {
  readonly event: string;
  /** For a person; each line on its own. */
  readonly lines: readonly string[];
  /** For a script, beside `event` and `time`. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Where a monitored board's words go. */
export interface Printer {
  /** Bytes of text as they come. */
  text(bytes: Uint8Array): Promise<void>;
  /** The same text again, line by line. */
  line(bytes: Uint8Array): Promise<void>;
  happened(what: Happening): Promise<void>;
  close(): void;
}

export interface PrinterOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly timestamps: () => boolean;
  readonly log: string | undefined;
  readonly style: Style;
}

const pad = (value: number, digits: number) => String(value).padStart(digits, '0');

/** `14:03:59.120 `, in local time. */
function stamp(now: Date): string {
  const clock = [now.getHours(), now.getMinutes(), now.getSeconds()].map((part) => pad(part, 2)).join(':');
  return `${clock}.${pad(now.getMilliseconds(), 3)} `;
}

/** Text with the time at the start of each line. */
class Stamper {
  private atStart = true;

  add(bytes: Uint8Array, stamped: boolean): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let start = 0; start < bytes.length; ) {
      const feed = bytes.indexOf(0x0a, start);
      const end = feed < 0 ? bytes.length : feed + 1;
      if (this.atStart && stamped) parts.push(Buffer.from(stamp(new Date())));
      parts.push(bytes.subarray(start, end));
      this.atStart = feed >= 0;
      start = end;
    }
    return Buffer.concat(parts);
  }
}

function textPrinter({ quiet, timestamps, log, style }: PrinterOptions): Printer {
  const file = log === undefined ? undefined : openToAppend(log);
  const stamper = new Stamper();
  return {
    async text(bytes) {
      const out = stamper.add(bytes, timestamps());
      file?.append(out);
      await printBytes(out);
    },
    async line() {},
    async happened({ lines }) {
      const shown = lines.map((line) => `--- ${visibleLine(line)}`);
      file?.append(Buffer.from(shown.map((line) => `${line}\n`).join('')));
      if (!quiet) for (const line of shown) printLine('stderr', style.yellow(line));
    },
    close: () => file?.close(),
  };
}

/** UTF-8 where it is, otherwise each byte as the character of its number, with the bytes themselves beside it. */
function textFields(bytes: Uint8Array): Record<string, string> {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { text: Buffer.from(bytes).toString('latin1'), base64: Buffer.from(bytes).toString('base64') };
  }
}

function jsonPrinter({ log }: PrinterOptions): Printer {
  const file = log === undefined ? undefined : openToAppend(log);
  const record = async (fields: Readonly<Record<string, unknown>>) => {
    const line = Buffer.from(jsonLine({ time: new Date().toISOString(), ...fields }));
    file?.append(line);
    await printBytes(line);
  };
  return {
    async text() {},
    line: (bytes) => record(textFields(bytes)),
    happened: ({ event, lines, facts }) => record({ event, ...facts, lines }),
    close: () => file?.close(),
  };
}

/** Text for a person or, with `json`, one JSON record a line. */
export function makePrinter(options: PrinterOptions): Printer {
  return options.json ? jsonPrinter(options) : textPrinter(options);
}
