import type { Tf } from '../ops/define-op.ts';

let ready: Promise<Tf> | undefined;

async function load(): Promise<Tf> {
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-wasm');
  await tf.setBackend('wasm');
  await tf.ready();
  return tf;
}

/** tfjs with its WebAssembly backend, loaded at the first call. */
export function loadTf(): Promise<Tf> {
  ready ??= load();
  return ready;
}
