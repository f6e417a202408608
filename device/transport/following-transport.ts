import { TinymlError } from '../../common/tinyml-error.ts';
import { deviceStaysAway } from '../errors.ts';
import type { Parity, Signals, Transport } from './transport.ts';

export interface FollowOptions {
  /** How long the device may be away, in milliseconds. */
  readonly followMs: number;
  readonly onLost?: (name: string) => void;
  readonly onReturn?: (name: string) => void;
}

const LOOK_MS = 100;
/** A native USB port is named before its owner and group are set, and may be held by who probes new ports. */
const MAY_PASS = new Set([
  'E_DEVICE_LOST',
  'E_PORT',
  'E_PORT_BUSY',
  'E_PORT_NOT_FOUND',
  'E_PORT_PERMISSION',
  'E_PORT_UNREACHABLE',
]);

const codeOf = (error: unknown) => (error instanceof TinymlError ? error.code : undefined);

/**
 * A transport that outlives its device: when that vanishes, as chips with USB of their own do at a reset, it is looked
 * for and opened again wherever it comes back. What was on the wire is gone: a read then ends without bytes, a write is
 * repeated. E_DEVICE_LOST when it stays away.
 */
export class FollowingTransport implements Transport {
  private inner: Transport;
  private readonly open: () => Promise<Transport>;
  private readonly options: FollowOptions;
  private line: { baud: number; parity?: Parity } | undefined;
  private signals: Signals | undefined;
  private closed = false;

  /** `open` finds the device wherever it is now. */
  constructor(inner: Transport, open: () => Promise<Transport>, options: FollowOptions) {
    this.inner = inner;
    this.open = open;
    this.options = options;
  }

  get name(): string {
    return this.inner.name;
  }

  get clock() {
    return this.inner.clock;
  }

  get hasSignals(): boolean {
    return this.inner.hasSignals;
  }

  async read(timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    try {
      return await this.inner.read(timeoutMs, signal);
    } catch (error) {
      await this.follow(error, signal);
      return new Uint8Array(0);
    }
  }

  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.again((inner) => inner.write(bytes, signal), signal);
  }

  setBaud(baud: number, parity?: Parity): Promise<void> {
    this.line = { baud, ...(parity === undefined ? {} : { parity }) };
    return this.again((inner) => inner.setBaud(baud, parity));
  }

  setSignals(signals: Signals): Promise<void> {
    this.signals = signals;
    return this.again((inner) => inner.setSignals(signals));
  }

  close(): Promise<void> {
    this.closed = true;
    return this.inner.close();
  }

  private async again(step: (inner: Transport) => Promise<void>, signal?: AbortSignal): Promise<void> {
    try {
      await step(this.inner);
    } catch (error) {
      await this.follow(error, signal);
      await step(this.inner);
    }
  }

  private async follow(error: unknown, signal?: AbortSignal): Promise<void> {
    if (codeOf(error) !== 'E_DEVICE_LOST' || this.closed) throw error;
    const { name, clock } = this.inner;
    this.options.onLost?.(name);
    await this.inner.close();
    const until = clock.now() + this.options.followMs;
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      const reason = await this.reopen();
      if (reason === undefined) break;
      if (!MAY_PASS.has(codeOf(reason) ?? '')) throw reason;
      if (clock.now() >= until) throw deviceStaysAway(name, this.options.followMs, reason);
    }
    this.options.onReturn?.(this.inner.name);
  }

  /** Undefined when it is open again, otherwise why not. */
  private async reopen(): Promise<unknown> {
    let next: Transport | undefined;
    try {
      next = await this.open();
      if (this.line) await next.setBaud(this.line.baud, this.line.parity);
      if (this.signals) await next.setSignals(this.signals);
      this.inner = next;
      return undefined;
    } catch (error) {
      await next?.close();
      return error;
    }
  }
}
