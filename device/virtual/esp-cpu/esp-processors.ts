import { esp32Processor } from './esp32.ts';
import { esp32c3Processor } from './esp32c3.ts';
import type { Processor, ProcessorPorts } from './processor.ts';

/** Virtual chips that run what their flash holds; the others have their boot loader only. */
export const espProcessors: Readonly<Partial<Record<string, (ports: ProcessorPorts) => Processor>>> = {
  esp32: esp32Processor,
  esp32c3: esp32c3Processor,
};
