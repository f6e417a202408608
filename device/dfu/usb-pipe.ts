import { type Clock, systemClock } from '../clock.ts';
import { deviceLost, usbUnavailable } from '../errors.ts';
import { type ControlPipe, StallError } from './control-pipe.ts';

/** The part of WebUSB (wicg.github.io/webusb) that DFU needs; the package `usb` implements it for Node. */
export interface UsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber?: string | null | undefined;
  readonly configurations: readonly {
    readonly configurationValue: number;
    readonly interfaces: readonly UsbInterface[];
  }[];
  open(): Promise<void>;
  close(): Promise<void>;
  selectConfiguration(value: number): Promise<void>;
  claimInterface(index: number): Promise<void>;
  selectAlternateInterface(index: number, alternate: number): Promise<void>;
  controlTransferIn(setup: UsbSetup, length: number): Promise<UsbResult>;
  controlTransferOut(setup: UsbSetup, data: Uint8Array): Promise<UsbResult>;
}

interface UsbInterface {
  readonly interfaceNumber: number;
  readonly alternates: readonly {
    readonly alternateSetting: number;
    readonly interfaceClass: number;
    readonly interfaceSubclass: number;
    readonly interfaceName?: string | null | undefined;
  }[];
}

interface UsbSetup {
  readonly requestType: 'standard' | 'class';
  readonly recipient: 'device' | 'interface';
  readonly request: number;
  readonly value: number;
  readonly index: number;
}

interface UsbResult {
  readonly status?: string | undefined;
  readonly data?: DataView | undefined;
}

export interface Usb {
  getDevices(): Promise<readonly UsbDevice[]>;
}

/** USB's class and subclass of devices in DFU mode (USB DFU 1.1, table 4.4). */
const DFU_CLASS = 0xfe;
const DFU_SUBCLASS = 0x01;
const GET_DESCRIPTOR = 6;
const CONFIGURATION = 2;
const DFU_FUNCTIONAL = 0x21;
const LONGEST_DESCRIPTOR = 4096;
/** AN3156: what the boot loaders of STM32 take, where the descriptor says nothing else. */
const USUAL_TRANSFER = 2048;

/** The package `usb`, which is not installed with tinyml; undefined where it is absent or has nothing for this machine. */
export async function loadUsb(): Promise<Usb | undefined> {
  try {
    const name: string = 'usb';
    const { usb } = (await import(name)) as { usb?: Usb };
    return usb;
  } catch {
    return undefined;
  }
}

interface DfuInterface {
  readonly configuration: number;
  readonly number: number;
  readonly alternate: number;
  readonly name: string;
}

/** The interface whose alternate setting 0 is the internal flash (AN3156, section 2). */
function flashInterface(device: UsbDevice): DfuInterface | undefined {
  for (const { configurationValue, interfaces } of device.configurations) {
    for (const { interfaceNumber, alternates } of interfaces) {
      const found = alternates.find(
        (one) => one.interfaceClass === DFU_CLASS && one.interfaceSubclass === DFU_SUBCLASS,
      );
      if (found)
        return {
          configuration: configurationValue,
          number: interfaceNumber,
          alternate: found.alternateSetting,
          name: found.interfaceName ?? '',
        };
    }
  }
  return undefined;
}

/** `wTransferSize` of the DFU functional descriptor, which stands among those of the configuration. */
export function transferSize(descriptors: Uint8Array): number {
  for (let at = 0; at + 2 <= descriptors.length; ) {
    const length = descriptors[at]!;
    if (length < 2) break;
    if (descriptors[at + 1] === DFU_FUNCTIONAL && length >= 7 && at + 7 <= descriptors.length) {
      return descriptors[at + 5]! | (descriptors[at + 6]! << 8);
    }
    at += length;
  }
  return USUAL_TRANSFER;
}

const bytesOf = (data: DataView | undefined) =>
  data ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(0);

async function descriptorsOf(device: UsbDevice): Promise<Uint8Array> {
  const setup: UsbSetup = {
    requestType: 'standard',
    recipient: 'device',
    request: GET_DESCRIPTOR,
    value: CONFIGURATION << 8,
    index: 0,
  };
  const { data } = await device.controlTransferIn(setup, LONGEST_DESCRIPTOR);
  return bytesOf(data);
}

/** A rejection without an answer means that the device has gone; libusb tells a stall so too, in words. */
async function transfer(name: string, work: () => Promise<UsbResult>): Promise<UsbResult> {
  let result: UsbResult;
  try {
    result = await work();
  } catch (error) {
    if (/stall|pipe/i.test(String(error))) throw new StallError();
    throw deviceLost(name, `left the bus (${String(error).slice(0, 80)})`);
  }
  if (result.status === 'stall') throw new StallError();
  return result;
}

/**
 * Opens a device in DFU mode. E_USB where this user may not or another program has it, or where it is no DFU device.
 */
export async function openUsbPipe(device: UsbDevice, clock: Clock = systemClock): Promise<ControlPipe> {
  const name = `USB ${device.serialNumber ?? 'DFU device'}`;
  const wanted = flashInterface(device);
  if (!wanted) throw usbUnavailable(name, 'it has no DFU interface');
  try {
    await device.open();
    await device.selectConfiguration(wanted.configuration);
    await device.claimInterface(wanted.number);
    await device.selectAlternateInterface(wanted.number, wanted.alternate);
  } catch (error) {
    await device.close().catch(() => {});
    throw usbUnavailable(name, String(error).slice(0, 120));
  }
  const setup = (request: number, value: number): UsbSetup => ({
    requestType: 'class',
    recipient: 'interface',
    request,
    value,
    index: wanted.number,
  });
  return {
    name,
    clock,
    memoryLayout: wanted.name,
    transferBytes: transferSize(await descriptorsOf(device).catch(() => new Uint8Array(0))),
    async send(request, value, data) {
      await transfer(name, () => device.controlTransferOut(setup(request, value), data));
    },
    async receive(request, value, length) {
      const { data } = await transfer(name, () => device.controlTransferIn(setup(request, value), length));
      return bytesOf(data);
    },
    close: () => device.close().catch(() => {}),
  };
}
