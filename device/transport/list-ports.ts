/** A serial port of this machine; fields the system does not tell are absent. */
export interface PortInfo {
  readonly path: string;
  readonly manufacturer?: string;
  readonly serialNumber?: string;
  /** USB ids, four lower-case hexadecimal digits. */
  readonly vendorId?: string;
  readonly productId?: string;
}

/** All serial ports, those on USB first; empty where the native package or udev is missing. */
export async function listPorts(): Promise<PortInfo[]> {
  const { SerialPort } = await import('serialport').catch(() => ({ SerialPort: undefined }));
  // The native package asks udevadm, which small systems and containers lack.
  const found = (await SerialPort?.list().catch(() => [])) ?? [];
  return found
    .map(({ path, manufacturer, serialNumber, vendorId, productId }) => ({
      path,
      ...(manufacturer ? { manufacturer } : {}),
      ...(serialNumber ? { serialNumber } : {}),
      ...(vendorId ? { vendorId: vendorId.toLowerCase().padStart(4, '0') } : {}),
      ...(productId ? { productId: productId.toLowerCase().padStart(4, '0') } : {}),
    }))
    .sort((a, b) => Number('vendorId' in b) - Number('vendorId' in a) || a.path.localeCompare(b.path));
}
