import { createHash } from 'node:crypto';
import { type ImportedModel, importModel } from '../../converter/import-model.ts';
import type { Context } from '../context.ts';
import { externalReader } from '../files/external-data.ts';
import { readModelFile } from '../files/model-file.ts';

/** A model as the user named it, read and imported. */
export interface OpenModel extends ImportedModel {
  readonly path: string;
  readonly name: string;
  readonly sha256: string;
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Files with weights that the model names, relative to its folder. */
  readonly externalFiles: readonly string[];
}

export type InputShapes = readonly (readonly [string, readonly number[]])[];

/** Reads and imports a model; what was decided for the user is shown as notes. */
export function openModel(context: Context, path: string, inputShapes: InputShapes = []): OpenModel {
  const file = readModelFile(path);
  const readExternal = externalReader(path);
  const externalFiles = new Set<string>();
  const imported = importModel(file.bytes, {
    fileName: file.name,
    inputShapes: new Map(inputShapes),
    readExternal: (location, offset, length) => {
      externalFiles.add(location);
      return readExternal(location, offset, length);
    },
  });
  for (const note of imported.notes) context.output.note(`${file.name}: ${note}`);
  const sha256 = createHash('sha256').update(file.bytes).digest('hex');
  const fileBytes = file.bytes.length;
  return { ...imported, path, name: file.name, sha256, fileBytes, externalFiles: [...externalFiles] };
}
