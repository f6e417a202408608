import { parseCrash } from '../../device/bench/crash.ts';
import { FrameSieve } from '../../device/bench/frame-sieve.ts';
import { type Frame, READY } from '../../device/bench/frames.ts';
import { parseHello } from '../../device/bench/hello.ts';
import { type CodeAddress, CrashText } from '../../device/console/crash-text.ts';
import { explainBootLog } from '../../device/console/esp-boot-log.ts';
import { Lines } from './lines.ts';
import type { Happening, Printer } from './printer.ts';
import type { NameAddresses, NamedAddress } from './symbols.ts';

/** A program that runs says other things before so much. */
const LONGEST_BOOT_LOG = 2_048;

const CODE_REGISTERS: ReadonlyMap<string, boolean> = new Map([
  ['pc', false],
  ['lr', true],
  ['ra', true],
]);

function described({ label, address, function: name, place }: NamedAddress): string {
  return `${label} ${address}: ${name}${place === undefined ? '' : ` at ${place}`}`;
}

/** What our firmware says in frames, in words; those that answer somebody else are passed over. */
function frameHappening({ type, body }: Frame): { what: Happening; addresses: CodeAddress[] } | undefined {
  const crash = parseCrash(type, body);
  if (crash) {
    const addresses = [...CODE_REGISTERS].flatMap(([name, isReturn]) => {
      const address = crash.registers.get(name);
      return address === undefined ? [] : [{ label: name.toUpperCase(), address, isReturn }];
    });
    const lines = [`the firmware crashed: ${crash.causes.join(', ')}`, ...crash.lines];
    const facts = { causes: crash.causes, registers: Object.fromEntries(crash.registers) };
    return { what: { event: 'crash', lines, facts }, addresses };
  }
  const hello = type === READY ? parseHello(body) : undefined;
  if (!hello) return undefined;
  const lines = [`benchmark firmware started: board ${hello.board}, model ${hello.modelHash}`];
  return { what: { event: 'ready', lines, facts: { ...hello } }, addresses: [] };
}

/** Takes what a board sends, prints it, and explains what needs it. */
export class MonitorDecoder {
  private readonly sieve = new FrameSieve();
  private readonly lines = new Lines();
  private readonly crashText = new CrashText();
  private readonly printer: Printer;
  private readonly nameAddresses: NameAddresses | undefined;
  private readonly raw: boolean;
  private hinted = false;
  private bootLog = '';
  private readonly told = new Set<string>();

  /** `raw`: the bytes are printed as they come, frames too. */
  constructor(printer: Printer, nameAddresses: NameAddresses | undefined, raw: boolean) {
    this.printer = printer;
    this.nameAddresses = nameAddresses;
    this.raw = raw;
  }

  async take(bytes: Uint8Array): Promise<void> {
    if (this.raw) await this.printer.text(bytes);
    for (const part of this.sieve.take(bytes)) {
      if ('text' in part) await this.text(part.text);
      else await this.frame(part.frame);
    }
  }

  /** Nothing has come for a moment, so that what was held back is no frame. */
  async pause(): Promise<void> {
    await this.text(this.sieve.flush());
  }

  async end(): Promise<void> {
    await this.pause();
    for (const line of this.lines.rest()) await this.line(line);
  }

  private async text(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    if (!this.raw) await this.printer.text(bytes);
    for (const line of this.lines.take(bytes)) await this.line(line);
  }

  private async line(bytes: Uint8Array): Promise<void> {
    await this.printer.line(bytes);
    const line = Buffer.from(bytes.subarray(0, 4096)).toString('latin1');
    const { addresses, causes } = this.crashText.take(line);
    if (causes.length > 0)
      await this.printer.happened({ event: 'cause', lines: [causes.join(', ')], facts: { causes } });
    await this.name(addresses);
    await this.boot(line);
  }

  private async frame(frame: Frame): Promise<void> {
    const found = frameHappening(frame);
    if (!found) return;
    await this.printer.happened(found.what);
    await this.name(found.addresses);
    if (found.what.event === 'crash') this.hint();
  }

  private async name(addresses: readonly CodeAddress[]): Promise<void> {
    if (addresses.length === 0) return;
    const names = await this.nameAddresses?.(addresses);
    if (names && names.length > 0) {
      await this.printer.happened({
        event: 'backtrace',
        lines: names.map(described),
        facts: { frames: names },
      });
    } else if (addresses.some(({ label }) => label !== 'stack')) this.hint();
  }

  private hint(): void {
    if (this.nameAddresses || this.hinted) return;
    this.hinted = true;
    const lines = ['with --elf firmware.elf the functions are named'];
    void this.printer.happened({ event: 'hint', lines });
  }

  /** What follows the ROM's line on how it started says whether a program runs. */
  private async boot(line: string): Promise<void> {
    if (line.includes('boot:0x')) this.told.clear();
    else if (this.bootLog === '' || this.bootLog.length > LONGEST_BOOT_LOG) return;
    this.bootLog = line.includes('boot:0x') ? line : `${this.bootLog}\n${line}`;
    for (const { what, measure } of explainBootLog(this.bootLog)?.problems ?? []) {
      if (this.told.has(what)) continue;
      this.told.add(what);
      await this.printer.happened({ event: 'boot', lines: [what, measure], facts: { what, measure } });
    }
  }
}
