interface Waiter {
  resolve(bytes: Uint8Array): void;
  reject(reason: unknown): void;
}

/** Asked to stop and start the source, so that a board which floods us cannot fill the memory. */
export interface FlowControl {
  pause(): void;
  resume(): void;
}

/** Calls back later; for 0 ms after the next poll of the event loop, so that what the system holds arrives first. */
function after(ms: number, call: () => void): () => void {
  if (ms <= 0) {
    const immediate = setImmediate(call);
    return () => clearImmediate(immediate);
  }
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}

const HIGH_WATER = 256 * 1024;

/** Bytes that arrived and wait to be read: the receiving half of a transport. */
export class ByteQueue {
  private chunks: Uint8Array[] = [];
  private size = 0;
  private failure: unknown;
  private waiter: Waiter | undefined;
  private paused = false;
  private readonly flow: FlowControl;

  constructor(flow: FlowControl) {
    this.flow = flow;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.size += bytes.length;
    if (this.waiter) this.waiter.resolve(this.takeAll());
    else if (this.size > HIGH_WATER && !this.paused) {
      this.paused = true;
      this.flow.pause();
    }
  }

  /** Every read after the bytes that are left fails with this. The first reason stays. */
  fail(reason: unknown): void {
    this.failure ??= reason;
    this.waiter?.reject(this.failure);
  }

  clear(): void {
    this.takeAll();
  }

  async take(timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (this.size > 0) return this.takeAll();
    if (this.failure !== undefined) throw this.failure;
    return new Promise((resolve, reject) => {
      const done = () => {
        cancel();
        signal?.removeEventListener('abort', abort);
        this.waiter = undefined;
      };
      const waiter: Waiter = {
        resolve: (bytes) => {
          done();
          resolve(bytes);
        },
        reject: (reason) => {
          done();
          reject(reason);
        },
      };
      const abort = () => waiter.reject(signal?.reason);
      const cancel = after(timeoutMs, () => waiter.resolve(new Uint8Array(0)));
      signal?.addEventListener('abort', abort, { once: true });
      this.waiter = waiter;
    });
  }

  private takeAll(): Uint8Array {
    const all = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
    this.chunks = [];
    this.size = 0;
    if (this.paused) {
      this.paused = false;
      this.flow.resume();
    }
    return all;
  }
}
