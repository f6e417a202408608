import { boardStopped, bootloaderSilent, flashLinkBad, flashRefused } from '../errors.ts';
import type { Transport } from '../transport/transport.ts';
import { holdInReset, releaseReset, type Wiring } from '../transport/wiring.ts';
import { BootloaderLink } from './bootloader-link.ts';
import { LinkFault } from './link-fault.ts';
import type { BootloaderTimeouts } from './timeouts.ts';

export interface SessionOptions {
  readonly baud: number;
  readonly wiring: Wiring;
  readonly timeouts: BootloaderTimeouts;
  readonly signal?: AbortSignal | undefined;
}

const ATTEMPTS = 16;
const RECONNECTS = 2;
const SYNCS_PER_RESET = 2;

/** A connection to a boot loader that repeats what failed and finds its way back after a fault. */
export class BootloaderSession {
  readonly link: BootloaderLink;
  /** Exchanges that had to be repeated. */
  retries = 0;
  /** New connections in the middle of the work, by reset where there are lines for it. */
  resets = 0;
  /** On the transport's clock; no exchange is started later. */
  deadline = Number.POSITIVE_INFINITY;
  /** Once it is known, every answer to Get ID must say so. */
  chipId: number | undefined;
  private readonly transport: Transport;
  private readonly options: SessionOptions;

  constructor(transport: Transport, options: SessionOptions) {
    this.transport = transport;
    this.options = options;
    this.link = new BootloaderLink(transport, options.baud, options.timeouts, options.signal);
  }

  /** Enters the boot loader through the reset lines if there are any, else finds one that runs already. */
  async connect(): Promise<void> {
    const until = this.transport.clock.now() + this.options.timeouts.connectMs;
    for (let round = 0; this.transport.clock.now() < until; round++) {
      if (await this.regain(() => this.enter())) return;
      // Where no line is wired, an earlier session may have left a half command behind.
      if (round % 2 === 0 && (await this.regain(() => this.link.resync()))) return;
    }
    throw bootloaderSilent(this.transport.name, this.transport.hasSignals, this.link.lastHeard);
  }

  /** Repeats an exchange until it works; `step` completes "while trying to". */
  async persist<T>(step: string, exchange: () => Promise<T>): Promise<T> {
    let refusals = 0;
    for (let attempt = 1; ; attempt++) {
      this.options.signal?.throwIfAborted();
      if (this.transport.clock.now() > this.deadline) break;
      try {
        return await exchange();
      } catch (error) {
        if (!(error instanceof LinkFault)) throw error;
        if (error.kind === 'refused') refusals++;
        if (attempt === ATTEMPTS) {
          if (refusals === ATTEMPTS) throw flashRefused(this.transport.name, step);
          break;
        }
        this.retries++;
        await this.recover(error, attempt, step);
      }
    }
    throw flashLinkBad(this.transport.name, step, this.retries);
  }

  /** The same answer twice, so that one damaged answer decides nothing. */
  async confirm<T>(step: string, exchange: () => Promise<T>): Promise<T> {
    let last: string | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const answer = await this.persist(step, exchange);
      const text = JSON.stringify(answer);
      if (text === last) return answer;
      last = text;
    }
    throw flashLinkBad(this.transport.name, step, this.retries);
  }

  async startFlash(): Promise<void> {
    const { wiring, timeouts, signal } = this.options;
    await holdInReset(this.transport, wiring, 'flash');
    await this.transport.clock.sleep(timeouts.resetHoldMs, signal);
    await releaseReset(this.transport, wiring, 'flash');
  }

  private async enter(): Promise<boolean> {
    const { wiring, timeouts, signal } = this.options;
    if (this.transport.hasSignals) {
      await holdInReset(this.transport, wiring, 'bootloader');
      await this.transport.clock.sleep(timeouts.resetHoldMs, signal);
      await releaseReset(this.transport, wiring, 'bootloader');
      await this.transport.clock.sleep(timeouts.bootMs, signal);
    }
    for (let i = 0; i < SYNCS_PER_RESET; i++) {
      if (await this.link.sync()) return true;
    }
    return false;
  }

  private async recover(fault: LinkFault, attempt: number, step: string): Promise<void> {
    // After a NACK, or once it sent data, the boot loader waits for a command. The next exchange shows if not.
    if (attempt === 1 && (fault.kind === 'refused' || fault.kind === 'short')) return;
    if (attempt > 1 && fault.kind === 'silence') this.link.waitLonger();
    if (await this.regain(() => this.link.resync())) return;
    const until = this.link.heardAt + this.options.timeouts.silenceMs;
    for (let i = 0; i < RECONNECTS || this.transport.clock.now() < until; i++) {
      // It may have been reset, by us or by itself, and wait for the sync byte again.
      this.resets++;
      if (await this.regain(() => this.enter())) return;
    }
    throw boardStopped(this.transport.name, step);
  }

  private async regain(way: () => Promise<boolean>): Promise<boolean> {
    return (await way()) && (await this.link.inStep(this.chipId));
  }
}
