import type { Clock } from '../clock.ts';

/**
 * The control endpoint of a USB device in DFU mode, all that the protocol needs of USB. Transfers reject with
 * `StallError` when the device refuses a request and with E_DEVICE_LOST when it is gone.
 */
export interface ControlPipe {
  /** The device as the user may name it, for messages. */
  readonly name: string;
  readonly clock: Clock;
  /** Descriptor of the interface's alternate setting 0: for DfuSe the layout of the memory behind it. */
  readonly memoryLayout: string;
  /** `wTransferSize` of the DFU functional descriptor: the most data bytes of one transfer. */
  readonly transferBytes: number;
  /** A class request to the interface, host to device. */
  send(request: number, value: number, data: Uint8Array): Promise<void>;
  /** A class request to the interface, device to host; may bring fewer bytes than asked for. */
  receive(request: number, value: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The device answered a request with a stall: in DFU, an error whose reason GETSTATUS tells. */
export class StallError extends Error {}
