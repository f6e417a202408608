import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { OptionSpec } from './command.ts';
import { badConfig, badValue, unknownConfigKey, wrongChoice } from './errors.ts';
import { finalPath, isSameFile, statsAt } from './files/final-path.ts';
import { readInputFile } from './files/input-file.ts';
import { settingTable } from './setting-table.ts';

const configName = 'tinyml.config.json';
const configLimit = 1_048_576;

export interface Settings {
  /** Text of a setting and where it came from, or undefined. */
  get(name: string): { readonly text: readonly string[]; readonly source: string } | undefined;
  /** What a configuration file beside a model says and may not say. */
  readonly ignored: { readonly path: string; readonly names: readonly string[] } | undefined;
}

interface Config {
  readonly path: string;
  readonly texts: ReadonlyMap<string, readonly string[]>;
}

/**
 * Environment, the configuration file beside `subject` (a model or folder, or undefined) as far as it may be believed, and
 * the user's own: in the working folder, and at home.
 */
export function loadSettings(subject: string | undefined): Settings {
  const own = ownPlaces().filter((path) => existsSync(path));
  const beside = subject === undefined ? undefined : join(folderOf(subject), configName);
  const isForeign =
    beside !== undefined &&
    existsSync(beside) &&
    !own.some((path) => isSameFile(finalPath(path), finalPath(beside)));
  const foreign = isForeign ? readConfig(beside) : undefined;
  const names = [...(foreign?.texts.keys() ?? [])].filter((name) => settingTable[name]!.trust === 'own');
  const believed = foreign && {
    ...foreign,
    texts: new Map([...foreign.texts].filter(([name]) => !names.includes(name))),
  };
  const configs = [...(believed ? [believed] : []), ...own.map(readConfig)];
  return {
    get: (name) => fromEnvironment(name) ?? fromConfigs(configs, name),
    ignored: foreign && names.length > 0 ? { path: foreign.path, names } : undefined,
  };
}

function fromEnvironment(name: string) {
  const variable = `TINYML_${name.replace(/([A-Z])/g, '_$1').toUpperCase()}`;
  const value = process.env[variable];
  return value === undefined || value === '' ? undefined : { text: [value], source: variable };
}

function fromConfigs(configs: readonly Config[], name: string) {
  const config = configs.find(({ texts }) => texts.has(name));
  return config && { text: config.texts.get(name)!, source: `${name} in ${config.path}` };
}

/** Configuration files that nobody but the user puts there, the nearer one first. */
function ownPlaces(): string[] {
  const given = process.env['XDG_CONFIG_HOME'] ?? '';
  const home = isAbsolute(given) ? given : homeConfig();
  return [resolve(configName), ...(home === undefined ? [] : [join(home, 'tinyml', 'config.json')])];
}

function homeConfig(): string | undefined {
  try {
    return join(homedir(), '.config');
  } catch {
    // A user without an entry and without HOME, as in some containers.
    return undefined;
  }
}

/** The folder of a file, or the folder itself. */
function folderOf(path: string): string {
  return statsAt(path)?.isDirectory() ? resolve(path) : dirname(resolve(path));
}

function readConfig(path: string): Config {
  const texts = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(parseConfig(path))) {
    const rule = Object.hasOwn(settingTable, key) ? settingTable[key] : undefined;
    if (!rule) throw unknownConfigKey(path, key, Object.keys(settingTable));
    const list = Array.isArray(value) ? value : [value];
    if (list.length === 0)
      throw badConfig(path, `${key} is a list of nothing`, 'leave it away for its default');
    const text = list.map((item: unknown) => settingText(path, key, item));
    // An empty name stays one, to be refused as such.
    texts.set(key, rule.isPath ? text.map((name) => name && resolve(dirname(path), name)) : text);
  }
  return { path, texts };
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
    throw badConfig(path, 'must be one JSON object', `settings: ${Object.keys(settingTable).join(', ')}`);
  }
  return document;
}

function settingText(path: string, key: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw badConfig(path, `${key} must be a text or a number, or a list of them`);
}

/** Longer than any path and any list that people type. */
const valueLimit = 65_536;

function refuseOddText(text: string, name: string): void {
  if (text === '') throw badValue(name, text, 'something; leave the option away for its default');
  if (text.length > valueLimit) throw badValue(name, text, `at most ${valueLimit} characters`);
  if (/[\p{Cc}\p{Cs}]/u.test(text)) throw badValue(name, text, 'text without control characters');
}

/** Value of one option from text, by the option's own rules. */
export function parseOption(option: OptionSpec, text: string, name: string): unknown {
  refuseOddText(text, name);
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw wrongChoice(name, text, option.choices);
  }
  return option.parse === undefined ? text : option.parse(text, name);
}
