import { Esp32Bus } from './esp32-bus.ts';
import { type Machine, type MachineParts, Processor, type ProcessorPorts } from './processor.ts';
import { XtensaCore } from './xtensa-core.ts';

/** RAM for instructions without the part that is cache, and RAM for data (manual, 1.3.2). */
const CODE = { address: 0x40080000, bytes: 128 * 1024 } as const;
const DATA = { address: 0x3ffae000, bytes: 328 * 1024 } as const;

class Esp32Machine implements Machine {
  private readonly code = { address: CODE.address, bytes: new Uint8Array(CODE.bytes) };
  private readonly data = { address: DATA.address, bytes: new Uint8Array(DATA.bytes) };
  private readonly bus: Esp32Bus;
  private readonly core: XtensaCore;

  constructor({ uart, flash }: MachineParts) {
    this.bus = new Esp32Bus({ uart, flash, retired: () => this.core.retired });
    this.core = new XtensaCore({ code: this.code, data: this.data, bus: this.bus, rom: this.bus.rom });
  }

  get broken(): string | undefined {
    return this.core.lockedUp ? `a fault at 0x${this.core.pc.toString(16)} that nothing handles` : undefined;
  }

  place(address: number, content: Uint8Array): boolean {
    for (const memory of [this.code, this.data]) {
      const offset = address - memory.address;
      if (offset < 0 || offset + content.length > memory.bytes.length) continue;
      memory.bytes.set(content, offset);
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

/** The processor of a virtual ESP32, one core of two: it starts what the ROM would start from flash. */
export function esp32Processor(ports: ProcessorPorts): Processor {
  const makeMachine = (parts: MachineParts) => new Esp32Machine(parts);
  return new Processor({ chipId: 0, imageOffset: 0x1000, makeMachine }, ports);
}
