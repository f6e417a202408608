import { z } from 'zod';
import { knownModelSchema, rungSchema } from '../study-file.ts';
import { bundleSchema } from './bundle.ts';
import { damagedJob } from './errors.ts';

const knobValue = z.union([z.string().max(100), z.number(), z.boolean()]);

const jobSchema = z.strictObject({
  version: z.string(),
  bundle: bundleSchema,
  timeoutSeconds: z.int().min(1).max(86_400),
  workload: z.strictObject({
    inputShape: z.array(z.tuple([z.string().max(1000), z.array(z.int().min(1)).max(8)])).max(1000),
    metric: z.string().max(40),
    goal: z.strictObject({
      quality: z.string().max(40),
      limits: z.array(z.strictObject({ measure: z.string().max(40), value: z.number() })).max(20),
    }),
    seed: z.int(),
    prunes: z.boolean(),
  }),
  job: z.strictObject({
    number: z.int().nonnegative(),
    assignment: z.record(z.string(), knobValue),
    rungs: z
      .array(z.strictObject({ samples: z.int().min(1), peers: z.array(rungSchema).max(100_000) }))
      .max(10),
    known: z.array(knownModelSchema).max(100_000),
  }),
});

/** One trial as it stands in a queue. */
export type QueuedTrial = z.infer<typeof jobSchema>;

/** What anybody may have put into the queue, checked. Throws E_QUEUE_JOB. */
export function readQueuedTrial(document: unknown): QueuedTrial {
  const { success, data, error } = jobSchema.safeParse(document);
  if (success) return data;
  const [issue] = error.issues;
  throw damagedJob(`${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is wrong'}`);
}
