import { loadTf } from '../evaluate/tf.ts';
import type { Tf } from '../ops/define-op.ts';
import { registerGradients } from './gradients.ts';

/** tfjs ready for training: its backend and the gradients of all kernels that graphs and losses use. */
export async function loadTraining(): Promise<Tf> {
  const tf = await loadTf();
  registerGradients(tf);
  return tf;
}
