import { boardStopped, flashLinkBad } from '../errors.ts';
import type { Transport } from '../transport/transport.ts';
import { type ConnectDiagnosis, loaderRefused, loaderSilent } from './errors.ts';
import { isFault, LoaderFault } from './loader-fault.ts';
import { LoaderLink } from './loader-link.ts';
import { loaderSteps, playSteps, type ResetWay, runSteps } from './reset-sequence.ts';
import type { LoaderTimeouts } from './timeouts.ts';

/** What every ROM understands; it measures the rate of the first bytes it hears. */
export const ROM_BAUD = 115_200;

export interface SessionOptions {
  readonly reset: ResetWay;
  readonly timeouts: LoaderTimeouts;
  readonly signal?: AbortSignal | undefined;
  /** A rate at which an earlier run may have left the stub, where no line can reset the chip. */
  readonly otherBaud?: number | undefined;
}

const ATTEMPTS = 24;
const SYNCS_PER_RESET = 5;
const CONFIRMATIONS = 12;
/** So many noes in a row, without anything else between, are meant. */
const REFUSALS = 6;
const REFUSALS_BEFORE_RESTART = 4;
const SILENCES_BEFORE_SYNC = 3;
const PREPARATIONS = 8;
const PREPARING = 'start the flasher stub';
const BOOT_LOG = /boot:(0x[0-9a-f]+)/gi;

/** A connection to a loader that repeats what failed, and starts the loader anew when nothing else helps. */
export class LoaderSession {
  readonly link: LoaderLink;
  /** Exchanges that had to be repeated. */
  retries = 0;
  /** Times that the loader was started anew in the middle of the work. */
  restarts = 0;
  /** On the transport's clock; no exchange is started later. */
  deadline = Number.POSITIVE_INFINITY;
  /** Brings a loader that was just found to where the work can go on: chip, stub, rate. Set once it is known how. */
  prepare: (() => Promise<void>) | undefined;
  private readonly transport: Transport;
  private readonly options: SessionOptions;
  private diagnosis: Pick<ConnectDiagnosis, 'bootMode' | 'waits'> = { bootMode: undefined, waits: false };
  private preparing = false;

  constructor(transport: Transport, options: SessionOptions) {
    this.transport = transport;
    this.options = options;
    this.link = new LoaderLink(transport, ROM_BAUD, options.timeouts, options.signal);
  }

  private get hasReset(): boolean {
    return this.transport.hasSignals && this.options.reset !== 'manual';
  }

  /** Starts the loader through the reset lines if there are any, else finds one that runs. E_BOARD_SILENT. */
  async connect(): Promise<void> {
    if (await this.tryToConnect(this.options.timeouts.connectMs)) return;
    const { name, hasSignals } = this.transport;
    throw loaderSilent({ port: name, hasSignals, heard: this.link.lastHeard, ...this.diagnosis });
  }

  /**
   * Repeats an exchange until it works; `step` completes "while trying to". An exchange that only makes sense after
   * others is given up with the fault `restarted` when the loader had to be started anew.
   */
  async persist<T>(step: string, exchange: () => Promise<T>, afterOthers = false): Promise<T> {
    let refusals = 0;
    let silences = 0;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      this.checkTime(step);
      try {
        return await exchange();
      } catch (error) {
        if (!isFault(error) || error.kind === 'restarted') throw error;
        this.retries++;
        refusals = error.kind === 'refused' ? refusals + 1 : 0;
        if (refusals === REFUSALS) throw loaderRefused(this.transport.name, step, error.reason);
        silences = error.kind === 'silence' ? silences + 1 : 0;
        let restarted = silences > 0 && (await this.recover(silences, step));
        // A chip that restarted by itself knows nothing of what it was told.
        if (refusals === REFUSALS_BEFORE_RESTART && this.prepare && !this.preparing)
          restarted = await this.startOver(step);
        if (restarted && afterOthers) throw new LoaderFault('restarted');
      }
    }
    throw flashLinkBad(this.transport.name, step, this.retries);
  }

  /** The same answer twice, so that one damaged answer decides nothing: answers have no checksum. */
  async confirm<T>(step: string, exchange: () => Promise<T>): Promise<T> {
    const seen = new Set<string>();
    for (let attempt = 0; attempt < CONFIRMATIONS; attempt++) {
      const answer = await this.persist(step, exchange);
      const text = JSON.stringify(answer);
      if (seen.has(text)) return answer;
      seen.add(text);
    }
    throw flashLinkBad(this.transport.name, step, this.retries);
  }

  /** For faults that the caller repeats by itself: throws when time is up, or when the board is gone. */
  async noteFault(fault: LoaderFault, step: string): Promise<void> {
    this.retries++;
    this.checkTime(step);
    if (fault.kind === 'silence' && (await this.recover(1, step))) throw new LoaderFault('restarted');
  }

  /** Runs `prepare`, again from a new loader when the one that was found falls silent meanwhile. E_FLASH_LINK. */
  async bringUp(): Promise<void> {
    this.preparing = true;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          await this.prepare?.();
          return;
        } catch (error) {
          if (!isFault(error)) throw error;
          if (attempt === PREPARATIONS) throw flashLinkBad(this.transport.name, PREPARING, this.retries);
          await this.reconnect(PREPARING);
        }
      }
    } finally {
      this.preparing = false;
    }
  }

  /** Finds the loader again, in little time; E_DEVICE_LOST when it is gone. */
  async reconnect(step: string): Promise<void> {
    this.restarts++;
    if (!(await this.tryToConnect(this.options.timeouts.reconnectMs)))
      throw boardStopped(this.transport.name, step);
  }

  /** Starts the program in flash by the reset lines; false where there are none. */
  async startProgram(): Promise<boolean> {
    if (!this.transport.hasSignals) return false;
    await playSteps(this.transport, runSteps(this.options.timeouts), this.options.signal);
    await this.link.setBaud(ROM_BAUD);
    return this.transport.hasSignals;
  }

  private checkTime(step: string): void {
    this.options.signal?.throwIfAborted();
    if (this.transport.clock.now() > this.deadline)
      throw flashLinkBad(this.transport.name, step, this.retries);
  }

  private async tryToConnect(limitMs: number): Promise<boolean> {
    const until = this.transport.clock.now() + limitMs;
    for (let attempt = 0; this.transport.clock.now() < until; attempt++) {
      this.options.signal?.throwIfAborted();
      await this.link.setBaud(this.baudOf(attempt));
      this.link.isStub = false;
      await this.reset(attempt);
      for (let i = 0; i < SYNCS_PER_RESET; i++) if (await this.link.sync()) return true;
    }
    return false;
  }

  /** Where nothing can be reset the stub may still run at another rate. */
  private baudOf(attempt: number): number {
    const { otherBaud } = this.options;
    return !this.hasReset && otherBaud !== undefined && attempt % 2 === 1 ? otherBaud : ROM_BAUD;
  }

  private async reset(attempt: number): Promise<void> {
    if (!this.hasReset) return;
    const { reset, timeouts, signal } = this.options;
    await this.link.discard();
    await playSteps(this.transport, loaderSteps(reset, attempt, timeouts), signal);
    const log = Buffer.from(await this.link.listen(timeouts.bootLogMs, 3 * timeouts.bootLogMs)).toString(
      'latin1',
    );
    const bootMode = [...log.matchAll(BOOT_LOG)].at(-1)?.[1];
    if (bootMode !== undefined) this.diagnosis = { bootMode, waits: /waiting for download/.test(log) };
  }

  /** True when the loader had to be started anew. */
  private async recover(silences: number, step: string): Promise<boolean> {
    const silentMs = this.transport.clock.now() - this.link.heardAt;
    if (silentMs > this.options.timeouts.silenceMs) return this.startOver(step);
    this.link.waitLonger();
    const { isStub } = this.link;
    if (silences % SILENCES_BEFORE_SYNC !== 0 || !(await this.link.sync())) return false;
    // Where the stub was there is the ROM: the chip restarted.
    return isStub && !this.link.isStub ? this.startOver(step) : false;
  }

  private async startOver(step: string): Promise<true> {
    if (this.preparing) throw new LoaderFault('restarted');
    await this.reconnect(step);
    await this.bringUp();
    return true;
  }
}
