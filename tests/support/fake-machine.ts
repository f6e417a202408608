import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface FakeUsb {
  readonly vendorId: string;
  readonly productId: string;
  readonly serialNumber?: string;
  readonly product?: string;
}

/** The trees of /sys, /proc, /dev and /etc of a Linux machine that is not there, laid out as the kernel does. */
export class FakeMachine {
  readonly root = mkdtempSync(join(tmpdir(), 'tinyml-machine-'));
  /** For `tinyml(..., { env })`. */
  readonly env = { TINYML_SYSTEM_ROOT: this.root };
  private next = 1;
  private readonly mounts: string[] = [];

  constructor() {
    for (const folder of ['sys/bus/usb/devices', 'sys/class/tty', 'proc', 'dev', 'etc']) {
      mkdirSync(join(this.root, folder), { recursive: true });
    }
    this.file('etc/group', 'root:x:0:\ndialout:x:20:\n');
  }

  file(path: string, text: string, mode = 0o644): string {
    const place = join(this.root, path);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text, { mode });
    chmodSync(place, mode);
    return place;
  }

  /** Plugs a USB device in; returns its folder below the root. */
  usb(device: FakeUsb): string {
    const place = `1-${this.next++}`;
    const folder = `sys/devices/pci0000:00/usb1/${place}`;
    this.file(`${folder}/idVendor`, `${device.vendorId}\n`);
    this.file(`${folder}/idProduct`, `${device.productId}\n`);
    this.file(`${folder}/bDeviceClass`, '00\n');
    if (device.serialNumber) this.file(`${folder}/serial`, `${device.serialNumber}\n`);
    if (device.product) this.file(`${folder}/product`, `${device.product}\n`);
    symlinkSync(join(this.root, folder), join(this.root, 'sys/bus/usb/devices', place));
    return folder;
  }

  /** A serial port of a USB device; `target` is the real device that opening it reaches. */
  tty(name: string, device: FakeUsb, target?: string, mode = 0o660): string {
    const folder = `${this.usb(device)}/1-1:1.0`;
    mkdirSync(join(this.root, folder, 'tty', name), { recursive: true });
    symlinkSync(join(this.root, folder), join(this.root, folder, 'tty', name, 'device'));
    symlinkSync(join(this.root, folder, 'tty', name), join(this.root, 'sys/class/tty', name));
    if (target) symlinkSync(target, join(this.root, 'dev', name));
    else this.file(`dev/${name}`, '', mode);
    return join(this.root, 'dev', name);
  }

  /** A drive that is part of the USB device plugged in as the `number`th, mounted. */
  drive(number: number, name: string, mountedAt: string): void {
    const folder = `sys/devices/pci0000:00/usb1/1-${number}/1-1:1.2/host0/block/${name}`;
    mkdirSync(join(this.root, folder), { recursive: true });
    mkdirSync(join(this.root, 'sys/class/block'), { recursive: true });
    symlinkSync(join(this.root, folder), join(this.root, 'sys/class/block', name));
    this.mounts.push(`/dev/${name} ${mountedAt.replaceAll(' ', '\\040')} vfat rw 0 0`);
    this.file('proc/mounts', `${this.mounts.join('\n')}\n`);
  }

  /** Pulls the plug of a serial port. */
  unplug(name: string): void {
    for (const path of ['sys/class/tty', 'dev']) unlinkSync(join(this.root, path, name));
  }

  process(pid: number, program: string, open: readonly string[] = []): void {
    this.file(`proc/${pid}/comm`, `${program}\n`);
    for (const [fd, path] of open.entries()) {
      mkdirSync(join(this.root, `proc/${pid}/fd`), { recursive: true });
      symlinkSync(path, join(this.root, `proc/${pid}/fd/${fd + 3}`));
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
