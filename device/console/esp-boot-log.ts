/** What the ROM of an ESP chip said when it started. */
export interface EspBoot {
  /** The strapping pins, as the ROM prints them. */
  readonly strapping: number;
  readonly mode: 'flash' | 'download' | 'other';
  /** What the ROM calls the mode. */
  readonly name: string;
  /** Reset reason, when it was printed. */
  readonly reset?: string;
  /** What is wrong, in words, and what to do; empty when the chip starts its program. */
  readonly problems: readonly { readonly what: string; readonly measure: string }[];
}

/** `rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)`, as all ESP32 chips print it. */
const BOOT = /(?:rst:0x[0-9a-f]+ \(([A-Z0-9_]+)\),)?boot:0x([0-9a-f]+) \(([^)\r\n]*)\)/gi;

interface Symptom {
  readonly pattern: RegExp;
  readonly what: string;
  readonly measure: string;
}

/** Lines of the ROM and of the second boot loader that explain why no program runs. */
const SYMPTOMS: readonly Symptom[] = [
  {
    pattern: /waiting for download/i,
    what: 'the chip waits for a download: its boot pin (IO0; IO9 of a C3, C6 or H2) is low at reset',
    measure:
      'let go of the BOOT button, or take what pulls the pin low away, and press reset: tinyml reset PORT',
  },
  {
    pattern: /invalid header: 0xffffffff|flash read err.*1000|ets_main\.c/i,
    what: 'the flash holds no program where the ROM looks for one',
    measure: 'write one: tinyml flash DIR --board ID',
  },
  {
    pattern: /brownout detector was triggered|BROWN_OUT_RST|RTCWDT_BROWN_OUT/i,
    what: 'the supply voltage breaks down',
    measure: 'take a shorter USB cable or another USB port or supply, and unplug what the board feeds',
  },
  {
    pattern: /TG\d?WDT_SYS_RST|RTCWDT_RTC_RST|RTC_SW_?WDT|TG0WDT_CPU/i,
    what: 'a watchdog restarts the chip',
    measure:
      'the program hangs or does not feed the watchdog: tinyml monitor PORT --elf firmware.elf shows where',
  },
  {
    pattern: /checksum failure|csum err|hash of image.*(invalid|mismatch)|Image hash failed/i,
    what: 'the program in flash is damaged',
    measure: 'write it again: tinyml flash DIR --board ID',
  },
];

/** What the last start in a boot log says; undefined where no ESP ROM speaks in it. */
export function explainBootLog(log: string): EspBoot | undefined {
  const last = [...log.matchAll(BOOT)].at(-1);
  if (!last) return undefined;
  const [, reset, strapping = '', name = ''] = last;
  const since = log.slice(last.index);
  const mode = /DOWNLOAD/i.test(name) ? 'download' : /FLASH_BOOT|SPI_FAST/i.test(name) ? 'flash' : 'other';
  const problems = SYMPTOMS.filter(({ pattern }) => pattern.test(since));
  const waits = mode === 'download' && !problems.includes(SYMPTOMS[0]!) ? [SYMPTOMS[0]!] : [];
  return {
    strapping: Number.parseInt(strapping, 16),
    mode,
    name,
    ...(reset === undefined ? {} : { reset }),
    problems: [...waits, ...problems].map(({ what, measure }) => ({ what, measure })),
  };
}
