import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { Space } from '../../converter/search/space.ts';
import { lockPort } from '../../device/transport/port-lock.ts';
import { finalPath } from '../files/final-path.ts';
import { readInputFile } from '../files/input-file.ts';
import { type GrowingFile, openToAppend } from '../files/output-file.ts';
import type { Lifetime } from '../lifetime.ts';
import { jsonLine } from '../output.ts';
import { studyBusy, studyDamaged, studyMismatch } from './errors.ts';
import type { Trial } from './trial.ts';

const studyLimit = 268_435_456;

/** What a study is about. A study goes on only with all of it unchanged: figures of different things do not mix. */
export interface StudySubject {
  /** Hash of the model's weights and file. */
  readonly model: string;
  readonly data: string;
  readonly calib: string;
  /** Null where no training data of their own were given. */
  readonly train: string | null;
  readonly board: string;
  readonly seed: number;
  readonly version: string;
  readonly space: Space;
}

const value = z.union([z.string(), z.number(), z.boolean()]);

const header = z.strictObject({
  study: z.literal('tinyml search'),
  id: z.string().regex(/^[0-9a-f-]{8,64}$/),
  subject: z.looseObject({}),
});

const count = z.number().nonnegative();
export const rungSchema = z.strictObject({
  samples: count,
  quality: z.number(),
  macs: count,
  weightsBytes: count,
  arenaBytes: count,
});
const measures = z.strictObject({
  quality: z.number(),
  latency: count,
  instructions: count.nullable(),
  ram: count,
  flash: count,
});
const model = { hash: z.string(), optimize: z.string(), rungs: z.array(rungSchema) };
export const knownModelSchema = z.strictObject({ ...model, measures: measures.nullable() });
const common = { number: z.int().nonnegative(), assignment: z.record(z.string(), value) };
const trial = z.discriminatedUnion('state', [
  z.strictObject({ ...common, ...model, state: z.literal('measured'), measures }),
  z.strictObject({
    ...common,
    ...model,
    state: z.literal('stopped'),
    reason: z.enum(['not promising', 'too big']),
    measures: z.null(),
  }),
  z.strictObject({
    ...common,
    state: z.literal('failed'),
    failure: z.strictObject({
      code: z.string(),
      exit: z.number(),
      message: z.string(),
      measure: z.array(z.string()),
      hint: z.string().nullable(),
    }),
  }),
]);

/** A trial from another machine, checked; undefined where it is none. */
export function readTrial(document: unknown): Trial | undefined {
  const { data } = trial.safeParse(document);
  return data as Trial | undefined;
}

export interface Study {
  readonly path: string;
  /** Tells this study from all others; names its jobs in a queue. */
  readonly id: string;
  /** Trials of earlier runs. */
  readonly trials: readonly Trial[];
  /** Writes one trial so that it survives whatever happens next. */
  append(trial: Trial): void;
  close(): void;
}

interface Content {
  readonly id: string;
  readonly trials: readonly Trial[];
  /** Bytes up to the end of the last whole line. */
  readonly length: number;
}

function parseLine<T>(path: string, line: number, text: string, schema: z.ZodType<T>): T {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw studyDamaged(path, line, 'is not JSON');
  }
  const { success, data, error } = schema.safeParse(document);
  if (success) return data;
  const [issue] = error.issues;
  throw studyDamaged(path, line, `${issue?.path.join('.') || 'the line'}: ${issue?.message ?? 'is wrong'}`);
}

function refuseOther(path: string, found: Record<string, unknown>, subject: StudySubject): void {
  for (const [name, wanted] of Object.entries(subject)) {
    if (JSON.stringify(found[name]) !== JSON.stringify(wanted)) throw studyMismatch(path, name);
  }
}

/** How each study begins. */
const beginning = '{"study":"tinyml search",';

/** Whether a file without a whole line is a study whose first line was being written when the program was killed. */
function isBegun(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes.subarray(0, beginning.length));
  return beginning.startsWith(text);
}

/** Reads what is there. A last line without its end was being written when the program was killed; it does not count. */
function readStudy(path: string, subject: StudySubject): Content | undefined {
  if (!existsSync(path)) return undefined;
  const { bytes } = readInputFile(path, {
    expected: 'a study of tinyml search',
    limit: studyLimit,
    own: true,
  });
  const length = bytes.lastIndexOf(0x0a) + 1;
  const [first, ...rest] = new TextDecoder().decode(bytes.subarray(0, length)).split('\n').slice(0, -1);
  if (first === undefined) {
    if (!isBegun(bytes)) throw studyDamaged(path, 1, 'is not that of a study');
    return undefined;
  }
  const head = parseLine(path, 1, first, header);
  refuseOther(path, head.subject, subject);
  const trials = new Map<number, Trial>();
  for (const [i, line] of rest.entries()) {
    const one = parseLine(path, i + 2, line, trial) as Trial;
    trials.set(one.number, one);
  }
  return { id: head.id, trials: [...trials.values()], length };
}

function lock(path: string, lifetime: Lifetime): () => void {
  try {
    const { release } = lockPort(finalPath(path));
    lifetime.onEnd(release);
    return release;
  } catch (error) {
    throw (error as { code?: string }).code === 'E_PORT_BUSY' ? studyBusy(path) : error;
  }
}

function writeLine(file: GrowingFile, document: unknown): void {
  file.append(Buffer.from(jsonLine(document)));
  file.sync();
}

/**
 * Opens a study to go on with it, or starts one: a file of JSON lines that only grows, the first of them saying what it
 * is about. Throws E_STUDY_DAMAGED, E_STUDY_MISMATCH, E_STUDY_BUSY and E_OUTPUT.
 */
export function openStudy(path: string, subject: StudySubject, id: string, lifetime: Lifetime): Study {
  const release = lock(path, lifetime);
  try {
    return openLocked(path, subject, id, lifetime, release);
  } catch (error) {
    release();
    throw error;
  }
}

function openLocked(
  path: string,
  subject: StudySubject,
  id: string,
  lifetime: Lifetime,
  release: () => void,
): Study {
  const found = readStudy(path, subject);
  const file = openToAppend(path, found?.length ?? 0);
  if (!found) writeLine(file, { study: 'tinyml search', id, subject });
  let open = true;
  const close = () => {
    if (open) file.close();
    open = false;
    release();
  };
  lifetime.onEnd(close);
  const { id: known = id, trials = [] } = found ?? {};
  return { path, id: known, trials, append: (one) => writeLine(file, one), close };
}
