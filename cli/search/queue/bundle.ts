import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { externalReader } from '../../files/external-data.ts';
import { statsAt } from '../../files/final-path.ts';
import { readInputFile } from '../../files/input-file.ts';
import { writeTemporary } from '../../files/temporary.ts';
import { damagedJob, dataIsFolder, tooBigToSend } from './errors.ts';

const fileLimit = 67_108_864;
/** Files stay on the server for a week, so that an interrupted search finds them again. */
const keptSeconds = 604_800;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const fileName = z.string().regex(/^[\w.+-][\w .+-]{0,199}$/);
/** Below the model's folder and nowhere else. */
const externalName = z
  .string()
  .regex(/^[\w+-][\w .+/-]{0,499}$/)
  .refine((name) => !name.split('/').some((part) => part === '..' || part === '.' || part === ''));

/** The files of a search by content: where they come from does not matter. */
export const bundleSchema = z.strictObject({
  model: z.strictObject({ name: fileName, sha256: digest }),
  externals: z.array(z.strictObject({ name: externalName, sha256: digest })).max(1000),
  calib: z.strictObject({ name: fileName, sha256: digest }),
  data: z.strictObject({ name: fileName, sha256: digest }),
  train: z.strictObject({ name: fileName, sha256: digest }).nullable(),
});

export type Bundle = z.infer<typeof bundleSchema>;
type File = Bundle['model'];

const keyOf = (sha256: string) => `tinyml:file:${sha256}`;
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A bundle with its content. */
export interface PackedBundle {
  readonly bundle: Bundle;
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

export interface BundleFiles {
  readonly model: string;
  readonly externals: readonly string[];
  readonly calib: string;
  readonly data: string;
  readonly train: string | null;
}

/** Reads all files of a search. Throws E_QUEUE_DATA for what cannot be sent. */
export function packBundle(files: BundleFiles): PackedBundle {
  const contents = new Map<string, Uint8Array>();
  const add = (name: string, bytes: Uint8Array): File => {
    if (bytes.length > fileLimit) throw tooBigToSend(name, bytes.length, fileLimit);
    const sha256 = hashOf(bytes);
    contents.set(sha256, bytes);
    return { name, sha256 };
  };
  const read = (path: string): File => {
    if (statsAt(path)?.isDirectory()) throw dataIsFolder(path);
    return add(plainName(path), readInputFile(path, { expected: 'a file to send', limit: 2 ** 31 }).bytes);
  };
  const external = externalReader(files.model);
  const bundle = {
    model: read(files.model),
    externals: files.externals.map((name) => add(name, external(name, 0, undefined))),
    calib: read(files.calib),
    data: read(files.data),
    train: files.train === null ? null : read(files.train),
  };
  return { bundle, contents };
}

/** The name matters for its ending only; characters that another system may not take are replaced. */
function plainName(path: string): string {
  return basename(path)
    .replace(/[^\w.+-]/g, '_')
    .slice(-100);
}

/** Puts the files on the server, where they are not there already. */
export async function uploadBundle(redis: Redis, { contents }: PackedBundle): Promise<void> {
  for (const [sha256, bytes] of contents) {
    const there = await redis.expire(keyOf(sha256), keptSeconds);
    if (there === 0) await redis.set(keyOf(sha256), Buffer.from(bytes), 'EX', keptSeconds);
  }
}

/** Fetches the files of a bundle into a folder, checked by content. Resolves to their paths. */
export async function downloadBundle(
  redis: Redis,
  bundle: Bundle,
  folder: string,
): Promise<Omit<BundleFiles, 'externals'>> {
  const fetch = async (place: string, { name, sha256 }: File) => {
    const bytes = await redis.getBuffer(keyOf(sha256));
    if (!bytes) throw damagedJob(`${name} is not on the server any more`);
    if (hashOf(bytes) !== sha256) throw damagedJob(`${name} does not have the content it should have`);
    return writeTemporary(join(folder, place), name, bytes);
  };
  const model = await fetch('model', bundle.model);
  for (const file of bundle.externals) await fetch('model', file);
  return {
    model,
    calib: await fetch('calib', bundle.calib),
    data: await fetch('data', bundle.data),
    train: bundle.train && (await fetch('train', bundle.train)),
  };
}
