import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { OptionSpec } from './command.ts';
import { badConfig, unknownConfigKey, wrongChoice } from './errors.ts';
import { readInputFile } from './files/input-file.ts';
import { settingNames } from './options.ts';

const configName = 'tinyml.config.json';
const configLimit = 1_048_576;

/** Settings that name a file: in a configuration file they are relative to that file. */
const pathSettings = new Set(['calib']);

export interface Settings {
  /** Text of a setting and where it came from, or undefined. */
  get(name: string): { readonly text: readonly string[]; readonly source: string } | undefined;
}

/** Environment and the configuration file near `subject` (a model or folder, or undefined), in that order. */
export function loadSettings(subject: string | undefined): Settings {
  const path = findConfig(subject);
  const config = path === undefined ? new Map<string, readonly string[]>() : readConfig(path);
  return {
    get(name) {
      const variable = `TINYML_${name.replace(/([A-Z])/g, '_$1').toUpperCase()}`;
      const value = process.env[variable];
      if (value !== undefined && value !== '') return { text: [value], source: variable };
      const text = config.get(name);
      return text === undefined ? undefined : { text, source: `${name} in ${path}` };
    },
  };
}

/** The folder of the model, or the folder itself, comes before the current folder. */
function findConfig(subject: string | undefined): string | undefined {
  const folders = [process.cwd()];
  if (subject !== undefined)
    folders.unshift(isFolder(subject) ? resolve(subject) : dirname(resolve(subject)));
  return folders.map((folder) => join(folder, configName)).find((path) => existsSync(path));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function readConfig(path: string): Map<string, readonly string[]> {
  const document = parseConfig(path);
  const config = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(document)) {
    if (!settingNames.includes(key)) throw unknownConfigKey(path, key, settingNames);
    const list = Array.isArray(value) ? value : [value];
    const text = list.map((item: unknown) => settingText(path, key, item));
    config.set(key, pathSettings.has(key) ? text.map((name) => resolve(dirname(path), name)) : text);
  }
  return config;
}

function parseConfig(path: string): object {
  const { bytes } = readInputFile(path, { expected: 'a configuration file', limit: configLimit });
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw badConfig(path, `is not valid JSON (${error instanceof Error ? error.message : 'unreadable'})`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw badConfig(path, 'must be one JSON object', `settings: ${settingNames.join(', ')}`);
  }
  return document;
}

function settingText(path: string, key: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw badConfig(path, `${key} must be a text or a number, or a list of them`);
}

/** Value of one option from text, by the option's own rules. */
export function parseOption(option: OptionSpec, text: string, name: string): unknown {
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw wrongChoice(name, text, option.choices);
  }
  return option.parse === undefined ? text : option.parse(text, name);
}
