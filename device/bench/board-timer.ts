import { badTimer } from '../errors.ts';
import type { BoardHello } from './hello.ts';
import type { Expectations } from './meet-board.ts';

const CLOCK_TOLERANCE = 0.02;
const SATURATED = 0xffffffff;
/** Between what the board's clock and ours say, on top of a share of the time itself. */
const CLOCK_SLACK_MS = 100;
const CLOCK_SLACK_SHARE = 1.05;

/** What a board says of its clock and of times: E_BAD_TIMER when it cannot be right. */
export class BoardTimer {
  private readonly hello: BoardHello;
  private readonly port: string;

  constructor(hello: BoardHello, port: string) {
    this.hello = hello;
    this.port = port;
  }

  /** Of its greeting, and whether that is the clock that is expected. */
  check({ clockHz: wanted }: Expectations): void {
    const { tickHz, clockHz, tickUnit } = this.hello;
    if (tickHz === 0 || clockHz === 0) throw badTimer(this.port, 'it reports a clock of 0 Hz');
    if (wanted !== undefined && Math.abs(clockHz - wanted) > wanted * CLOCK_TOLERANCE) {
      const differs = `its core runs at ${clockHz} Hz, the board description says ${wanted} Hz`;
      throw badTimer(this.port, differs);
    }
    if (tickUnit === 'cycle' && tickHz !== clockHz) {
      const differs = `it counts core cycles at ${tickHz} Hz with a core clock of ${clockHz} Hz`;
      throw badTimer(this.port, differs);
    }
  }

  checkInference(ticks: bigint, elapsedMs: number): void {
    if (ticks === 0n || ticks > BigInt(Number.MAX_SAFE_INTEGER))
      throw badTimer(this.port, `an inference took ${ticks} ticks`);
    this.checkSum([Number(ticks)], elapsedMs);
  }

  checkLayers(ticks: readonly number[], elapsedMs: number): void {
    if (ticks.includes(SATURATED)) throw badTimer(this.port, 'a layer took longer than 32 bits can say');
    this.checkSum(ticks, elapsedMs);
  }

  /** An inference cannot take longer than we waited for it. Emulated time may run slower or faster than ours. */
  private checkSum(ticks: readonly number[], elapsedMs: number): void {
    if (this.hello.tickUnit === 'instruction') return;
    const ms = (ticks.reduce((sum, one) => sum + one, 0) / this.hello.tickHz) * 1000;
    if (ms <= elapsedMs * CLOCK_SLACK_SHARE + CLOCK_SLACK_MS) return;
    const took = `${ms.toFixed(0)} ms by its clock, ${elapsedMs.toFixed(0)} ms by ours`;
    throw badTimer(this.port, `an inference took ${took}`);
  }
}
