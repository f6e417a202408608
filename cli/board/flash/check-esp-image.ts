import type { EspBoard } from '../../../boards/load.ts';
import { readBootImage } from '../../../device/virtual/esp-cpu/esp-image-boot.ts';
import { imageNotAsBuilt } from './errors.ts';

const headerBytes = 24;

/**
 * An image that the chip's ROM would refuse, or would start with a complaint, is none that tinyml built: E_IMAGE. The
 * ROM is imitated by the virtual boards.
 */
export function checkEspImage(image: Uint8Array, { id, chip }: EspBoard): void {
  if (image.length < headerBytes) throw imageNotAsBuilt(id, 'it is shorter than its header');
  const found = readBootImage(image, 0, chip.bootloader.chipId);
  const said = typeof found === 'string' ? found : found.said;
  if (said !== '') throw imageNotAsBuilt(id, said.split('\r\n')[0]!);
}
