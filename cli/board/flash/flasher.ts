import type { Board } from '../../../boards/load.ts';
import type { FlashReport } from '../../../device/stm32-bootloader/flash-stm32.ts';
import type { Context } from '../../context.ts';
import type { Progress } from '../../output.ts';
import type { BoardLink } from '../board-link.ts';

/** What is known of an image's way onto any board. `bytesVerified` is 0 where nothing can be read back. */
export type ImageReport = Pick<
  FlashReport,
  'imageBytes' | 'bytesWritten' | 'bytesKept' | 'bytesVerified' | 'elapsedMs'
>;

export type FlashMethod = Board['flash'][number]['method'];

/** A board that is to be flashed: with an open port, or, for ways that need none, with the name of one at most. */
export type FlashTarget = Pick<BoardLink, 'board'> & { readonly port?: string | undefined };

type Flash<Target> = (
  context: Context,
  target: Target,
  image: Uint8Array,
  progress: Progress,
) => Promise<ImageReport>;

/** A way to flash that goes past the serial port. */
export interface Flasher {
  readonly method: FlashMethod;
  readonly needsPort: false;
  readonly flash: Flash<FlashTarget>;
  /** Why it cannot be taken now: nothing is plugged in, or a program is missing. Undefined when it can. */
  readonly whyNot: (board: Board) => Promise<string | undefined>;
}

/** A way to flash through the serial port. */
export interface SerialFlasher {
  readonly method: FlashMethod;
  readonly needsPort: true;
  readonly flash: Flash<BoardLink>;
}
