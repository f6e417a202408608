import { Esp32c3Bus } from './esp32c3-bus.ts';
import { type Machine, type MachineParts, Processor, type ProcessorPorts } from './processor.ts';
import { Rv32Core } from './rv32-core.ts';

/** SRAM without the part that is the cache: the same bytes for data and for instructions (manual, 3.3). */
const DATA_ADDRESS = 0x3fc80000;
const CODE_ADDRESS = 0x40380000;
const SRAM_BYTES = 384 * 1024;

/** The performance counter: which events it counts, whether it does, and the count (manual, 1.4). */
const EVENTS = 0x7e0;
const MODE = 0x7e1;
const COUNT = 0x7e2;

/** Counts instructions whatever event is chosen: cycles are not modelled. */
class PerformanceCounter {
  private events = 0;
  private mode = 0;
  private zero = 0;

  read(number: number, retired: number): number | undefined {
    if (number === EVENTS) return this.events;
    if (number === MODE) return this.mode;
    return number === COUNT ? (this.mode & 1 ? retired - this.zero : 0) : undefined;
  }

  write(number: number, value: number, retired: number): boolean {
    if (number === EVENTS) this.events = value;
    else if (number === MODE) this.mode = value;
    else if (number === COUNT) this.zero = retired - value;
    return number === EVENTS || number === MODE || number === COUNT;
  }
}

class Esp32c3Machine implements Machine {
  private readonly bytes = new Uint8Array(SRAM_BYTES);
  private readonly bus: Esp32c3Bus;
  private readonly core: Rv32Core;

  constructor({ uart, flash }: MachineParts) {
    const memory = { bytes: this.bytes, dataAddress: DATA_ADDRESS, codeAddress: CODE_ADDRESS };
    const counter = new PerformanceCounter();
    this.bus = new Esp32c3Bus({ uart, flash, memory, retired: () => this.core.retired });
    this.core = new Rv32Core({
      memory,
      bus: this.bus,
      rom: this.bus.rom,
      readControl: (number, retired) => counter.read(number, retired),
      writeControl: (number, value, retired) => counter.write(number, value, retired),
    });
  }

  get broken(): string | undefined {
    return this.core.lockedUp ? `a fault at 0x${this.core.pc.toString(16)} that nothing handles` : undefined;
  }

  place(address: number, content: Uint8Array): boolean {
    for (const origin of [DATA_ADDRESS, CODE_ADDRESS]) {
      const offset = address - origin;
      if (offset < 0 || offset + content.length > SRAM_BYTES) continue;
      this.bytes.set(content, offset);
      return true;
    }
    return false;
  }

  start(entry: number): void {
    this.bus.reset();
    this.core.reset(entry);
  }

  run(instructions: number): void {
    this.core.run(instructions);
  }

  stop(): void {
    this.core.stop();
  }
}

/** The processor of a virtual ESP32-C3: it starts what the ROM would start from flash. */
export function esp32c3Processor(ports: ProcessorPorts): Processor {
  const makeMachine = (parts: MachineParts) => new Esp32c3Machine(parts);
  return new Processor({ chipId: 5, imageOffset: 0, makeMachine }, ports);
}
