import { type BootMessage, bootMessages } from './esp-boot-messages.ts';

/** What is wrong, in words, and what to do. */
export type BootProblem = Pick<BootMessage, 'kind' | 'what' | 'measure'>;

/** What the ROM of an ESP chip said when it started. */
export interface EspBoot {
  /** The strapping pins, as the ROM prints them. */
  readonly strapping: number;
  readonly mode: 'flash' | 'download' | 'other';
  /** What the ROM calls the mode. */
  readonly name: string;
  /** Reset reason, when it was printed. */
  readonly reset?: string;
  /** The most telling first; empty when the chip starts its program. */
  readonly problems: readonly BootProblem[];
}

/** `rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)`, as all ESP32 chips print it. */
const BOOT = /(?:rst:0x[0-9a-f]+ \(([A-Z0-9_]+)\),)?boot:0x([0-9a-f]+) \(((?:[^()\r\n]|\([^()\r\n]*\))*)\)/gi;

const isReason = ({ kind }: BootMessage) => ['waits', 'cannot start', 'gave up'].includes(kind);
const waits = bootMessages.find(({ kind }) => kind === 'waits')!;

/** One reason for not starting is enough: what else is said of the same flash is less exact. */
function told(found: readonly BootMessage[]): BootProblem[] {
  const reason = found.find(isReason);
  return found
    .filter((message) => reason === undefined || message === reason || message.kind === 'supply')
    .map(({ kind, what, measure }) => ({ kind, what, measure }));
}

const messagesIn = (text: string) => bootMessages.filter(({ pattern }) => pattern.test(text));

/** What a part of a boot log says is wrong, the most telling first. */
export function bootProblems(text: string): BootProblem[] {
  return told(messagesIn(text));
}

/** What the last start in a boot log says; undefined where no ESP ROM speaks in it. */
export function explainBootLog(log: string): EspBoot | undefined {
  const last = [...log.matchAll(BOOT)].at(-1);
  if (!last) return undefined;
  const [, reset, strapping = '', name = ''] = last;
  const mode = /DOWNLOAD/i.test(name) ? 'download' : /FLASH_BOOT|SPI_FAST/i.test(name) ? 'flash' : 'other';
  const found = messagesIn(log.slice(last.index));
  return {
    strapping: Number.parseInt(strapping, 16),
    mode,
    name,
    ...(reset === undefined ? {} : { reset }),
    problems: told(mode === 'download' ? [...new Set([waits, ...found])] : found),
  };
}
