import type { Board } from '../../boards/load.ts';
import { runningPrograms } from '../../device/host/port-users.ts';
import { type SystemTree, systemTree } from '../../device/host/read-system.ts';
import { listTtyDevices } from '../../device/host/tty-devices.ts';
import { listUsbDevices, type UsbDevice } from '../../device/host/usb-devices.ts';
import { type PortReport, reportPorts } from '../board/port-report.ts';
import { showsIds, systemRoot } from '../board/usb-boards.ts';
import { type Check, fine, trouble } from './check.ts';

const listed = (items: readonly string[]) => items.join(', ');

function joinCommand(ports: readonly PortReport[]): string {
  const { access } = ports.find((port) => port.access?.group !== undefined) ?? ports[0]!;
  if (access?.loginAgain)
    return 'log out and in again: this session is older than your membership in the group';
  if (access?.group === undefined) return `sudo chmod a+rw ${ports[0]!.path}`;
  return `sudo usermod -aG ${access.group} "$USER", then log in again`;
}

/** Ports that this user may not open: by group (dialout on Debian, uucp on Arch), or not at all. */
function checkPermissions(ports: readonly PortReport[], board: Board): Check {
  const name = 'serial ports';
  if (ports.length === 0) return fine(name, 'none');
  const closed = ports.filter((port) => port.access?.allowed === false);
  if (closed.length === 0) return fine(name, listed(ports.map(({ path }) => path)));
  const needed = board.emulator === undefined && closed.some((port) => showsIds(board, port));
  const found = `no permission for ${listed(closed.map(({ path }) => path))}`;
  return trouble(name, found, joinCommand(closed), needed);
}

function checkHolders(ports: readonly PortReport[]): Check {
  const name = 'ports in use';
  const held = ports.flatMap(({ path, holders }) =>
    holders.map(({ pid, program }) => ({ path, pid, program })),
  );
  if (held.length === 0) return fine(name, 'none');
  const found = listed(held.map(({ path, pid, program }) => `${path} by ${program} (${pid})`));
  return trouble(name, found, `close that program, or: kill ${held[0]!.pid}`);
}

/** ModemManager writes to every new serial port, which disturbs boot loaders. */
function checkModemManager(programs: ReadonlySet<string>): Check {
  const name = 'ModemManager';
  if (!programs.has('ModemManager')) return fine(name, 'not running');
  return trouble(name, 'is running and probes new ports', 'sudo systemctl disable --now ModemManager');
}

const brlttyRules = ['/usr/lib/udev/rules.d', '/lib/udev/rules.d', '/etc/udev/rules.d'];
/** A rule, not a comment, that takes a CH340 or CP210x for a Braille display. */
const takesAdapters = /^[^#\n]*(1a86[^\n]*7523|10c4[^\n]*ea60)/im;

/** Ubuntu's Braille support takes serial adapters away right after they were plugged in. */
function checkBrltty(tree: SystemTree): Check {
  const name = 'brltty';
  const rules = brlttyRules.flatMap((folder) =>
    tree
      .names(folder)
      .filter((file) => file.includes('brltty'))
      .map((file) => tree.text(`${folder}/${file}`) ?? ''),
  );
  if (!rules.some((text) => takesAdapters.test(text))) return fine(name, 'does not take adapters');
  return trouble(
    name,
    'takes CH340 and CP210x adapters for Braille displays',
    'sudo apt-get remove -y brltty',
  );
}

/** Kernel drivers by USB vendor and product; what a vendor has only one driver for, by the vendor. */
const drivers: readonly { readonly pattern: RegExp; readonly module: string; readonly chip: string }[] = [
  { pattern: /^1a86:(7523|5523|7522)$/, module: 'ch341', chip: 'CH340' },
  { pattern: /^10c4:ea[67]/, module: 'cp210x', chip: 'CP210x' },
  { pattern: /^0403:60/, module: 'ftdi_sio', chip: 'FTDI' },
  { pattern: /^067b:2[03]/, module: 'pl2303', chip: 'PL2303' },
  {
    pattern: /^(303a:(1001|4001)|1a86:55d[34]|0483:(374b|374e|374f|3752|3753|5740))$/,
    module: 'cdc_acm',
    chip: 'USB serial',
  },
];

/** The command that brings a driver into the kernel that runs. */
function driverCommand(tree: SystemTree, module: string): string {
  const release = tree.text('/proc/sys/kernel/osrelease') ?? '$(uname -r)';
  const known = ['modules.dep', 'modules.builtin'].some((file) =>
    tree.text(`/lib/modules/${release}/${file}`)?.includes(`/${module}.ko`),
  );
  return known ? `sudo modprobe ${module}` : `sudo apt-get install -y linux-modules-extra-${release}`;
}

function checkDrivers(tree: SystemTree, devices: readonly UsbDevice[]): Check {
  const name = 'drivers';
  const served = new Set(listTtyDevices(tree).map(({ usb }) => usb?.folder));
  const missing = devices
    .filter(({ folder }) => !served.has(folder))
    .flatMap((device) => {
      const id = `${device.vendorId}:${device.productId}`;
      const driver = drivers.find(({ pattern }) => pattern.test(id));
      return driver ? [{ ...driver, id }] : [];
    });
  if (missing.length === 0) return fine(name, 'every serial adapter on USB has its port');
  const found = listed(missing.map(({ chip, id }) => `${chip} (${id}) is plugged in, but has no port`));
  return trouble(name, found, driverCommand(tree, missing[0]!.module));
}

/** Whether the board asked for shows itself; when nothing does, the usual reason is a cable without data wires. */
function checkPluggedIn(devices: readonly UsbDevice[], board: Board): Check {
  const name = 'board on USB';
  if (board.usb.length === 0) return fine(name, `${board.id} needs none`);
  const found = devices.filter((device) => showsIds(board, device));
  if (found.length > 0) {
    return fine(
      name,
      listed(found.map(({ vendorId, productId, place }) => `${vendorId}:${productId} at ${place}`)),
    );
  }
  const others = devices.length === 0 ? 'no USB device at all' : `${devices.length} other USB devices`;
  const fix =
    'take another cable (many only charge), plug it straight into the machine, into the socket of the board that ' +
    `carries data: ${board.serial.reach}`;
  return trouble(name, `no ${board.id}; ${others}`, fix);
}

/** All that can stand between this user and a board's port. */
export async function checkPorts(board: Board): Promise<Check[]> {
  if (process.platform !== 'linux' && systemRoot() === '') {
    return [fine('serial ports', 'not checked on this system')];
  }
  const tree = systemTree(systemRoot());
  const ports = await reportPorts();
  const devices = listUsbDevices(tree);
  return [
    checkPluggedIn(devices, board),
    checkDrivers(tree, devices),
    checkPermissions(ports, board),
    checkHolders(ports),
    checkModemManager(runningPrograms(tree)),
    checkBrltty(tree),
  ];
}
