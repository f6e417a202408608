import type { Clock } from '../clock.ts';

export type Parity = 'none' | 'even';

/** The two modem lines that can drive a board's reset and boot pins; true is asserted (a low voltage on TTL adapters). */
export interface Signals {
  readonly dtr: boolean;
  readonly rts: boolean;
}

/** A byte link to a board: a serial port, a socket, or a simulation. One user at a time; not safe to read twice at once. */
export interface Transport {
  /** The port as the user wrote it, for messages. */
  readonly name: string;
  readonly clock: Clock;
  /** Whether `setSignals` can reach the board; a pty or plain socket has no modem lines. */
  readonly hasSignals: boolean;
  /**
   * At least one byte, or an empty array when none came in time.
   * Rejects with E_DEVICE_LOST when the link is gone, or with the signal's reason.
   */
  read(timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Resolves when the bytes are handed to the system; E_DEVICE_LOST when it will not take them. */
  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** 8 data bits and 1 stop bit always; parity stays as it was when not given. */
  setBaud(baud: number, parity?: Parity): Promise<void>;
  /** Does nothing where there are no modem lines. */
  setSignals(signals: Signals): Promise<void>;
  close(): Promise<void>;
}

/** Throws away what has arrived so far. Bounded: a board that never stops talking does not hold it up. */
export async function discardInput(transport: Transport, signal?: AbortSignal): Promise<Uint8Array> {
  let last: Uint8Array = new Uint8Array(0);
  for (let reads = 0; reads < 64; reads++) {
    const bytes = await transport.read(0, signal);
    if (bytes.length === 0) break;
    last = bytes;
  }
  return last;
}
