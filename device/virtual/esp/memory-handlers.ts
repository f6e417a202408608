import { COMMAND, wordAt } from '../../esp/protocol.ts';
import { answerThen, DONE, dataOf, type Handler, type Outcome, ofLength } from './loader-answers.ts';
import type { LoadedRam } from './ram.ts';

export const ROM_MEMORY_LIMIT = 0x1800;

/** The commands that load a program into RAM and start it. */
export class MemoryHandlers {
  private readonly ram: LoadedRam;
  private readonly jump: (entry: number) => void;
  private loading: { address: number; remaining: number } | undefined;

  constructor(ram: LoadedRam, jump: (entry: number) => void) {
    this.ram = ram;
    this.jump = jump;
  }

  reset(): void {
    this.ram.clear();
    this.loading = undefined;
  }

  table(): [number, Handler][] {
    return [
      [COMMAND.memBegin, ofLength(16, (body) => this.begin(body))],
      [COMMAND.memData, (body, packet) => this.data(body, packet.value)],
      [COMMAND.memEnd, ofLength(8, (body) => this.end(body))],
    ];
  }

  private begin(body: Uint8Array): Outcome {
    this.loading = { address: wordAt(body, 12), remaining: wordAt(body, 0) };
    return DONE;
  }

  private data(body: Uint8Array, sum: number): Outcome {
    if (!this.loading) return 'notBegun';
    const data = dataOf(body, sum, ROM_MEMORY_LIMIT);
    if (typeof data === 'string') return data;
    const { address, remaining } = this.loading;
    if (data.length > remaining) return 'tooMuch';
    this.ram.load(address, data);
    this.loading = { address: address + data.length, remaining: remaining - data.length };
    return DONE;
  }

  private end(body: Uint8Array): Outcome {
    const [stay, entry] = [wordAt(body, 0), wordAt(body, 4)];
    return stay === 0 ? answerThen(() => this.jump(entry)) : DONE;
  }
}
