import type { Transport } from '../transport/transport.ts';
import { type LoaderOptions, openLoader } from './open-loader.ts';
import { playSteps, runSteps } from './reset-sequence.ts';
import { restartProgram } from './restart-program.ts';
import { defaultTimeouts } from './timeouts.ts';

/**
 * Restarts an ESP32-family board so that it runs the program in its flash: by the reset lines, or where there are none
 * by a loader that runs. False when neither is possible and the user has to press the button.
 * Errors: E_BOARD_SILENT where there are no lines and no loader answers, E_DEVICE_LOST.
 */
export async function resetEsp(transport: Transport, options: LoaderOptions = {}): Promise<boolean> {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  if (transport.hasSignals) {
    await playSteps(transport, runSteps(timeouts), options.signal);
    // A pty tells only when it is tried that it has no modem lines.
    if (transport.hasSignals) return true;
  }
  const { session, chip } = await openLoader(transport, { ...options, stub: false });
  return restartProgram(session, chip);
}
