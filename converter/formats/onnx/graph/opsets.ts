import type { ModelProto, OperatorSetIdProto } from '../container/schema.ts';
import { irVersionNotSupported, opsetMissing, opsetNotSupported } from '../errors.ts';

/** Version of each operator domain; the standard domain is ''. */
export type Opsets = ReadonlyMap<string, number>;

const oldestIr = 3;
/** Newer ones have only added fields so far; they are read with a note. */
const newestIr = 13;
export const oldestOpset = 7;
export const newestOpset = 22;

/** 'ai.onnx' is another way to write the standard domain. */
export function canonicalDomain(domain: string | undefined): string {
  return domain === undefined || domain === 'ai.onnx' ? '' : domain;
}

export function opsetsOf(imports: readonly OperatorSetIdProto[]): Opsets {
  return new Map(imports.map(({ domain, version }) => [canonicalDomain(domain), version ?? 0]));
}

/** Refuses versions that are too old or absurd; notes those that are newer than what is known. */
export function checkVersions(model: ModelProto, notes: string[]): Opsets {
  const ir = model.irVersion ?? 0;
  if (!Number.isSafeInteger(ir) || ir < oldestIr) throw irVersionNotSupported(ir, oldestIr);
  if (ir > newestIr)
    notes.push(`IR version ${ir} is newer than the newest one known (${newestIr}); read as if it were that`);
  const opsets = opsetsOf(model.opsetImport);
  const standard = opsets.get('');
  if (standard === undefined) {
    if (model.opsetImport.length === 0) throw opsetMissing();
    return opsets;
  }
  if (!Number.isSafeInteger(standard) || standard < oldestOpset) {
    throw opsetNotSupported(standard, oldestOpset, newestOpset);
  }
  if (standard > newestOpset) {
    notes.push(
      `opset ${standard} is newer than the newest one known (${newestOpset}); read as if it were that`,
    );
  }
  return opsets;
}
