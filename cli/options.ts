import { metricNamed, metricNames } from '../converter/metrics/metric.ts';
import type { OptionSpec } from './command.ts';
import { badValue } from './errors.ts';
import { settingTable } from './setting-table.ts';

/** A whole number from 1 to `most`. */
export function countUpTo(most: number): (text: string, name: string) => number {
  return (text, name) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 1 && value <= most)) throw badValue(name, text, `a whole number from 1 to ${most}`);
    return value;
  };
}

/** A number from `least` to `most`. */
export function numberFrom(least: number, most: number): (text: string, name: string) => number {
  return (text, name) => {
    const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) throw badValue(name, text, `a number from ${least} to ${most}`);
    return value;
  };
}

/** `NAME=1,49,10,1` as the pair of name and shape. */
export function parseInputShape(text: string, name: string): readonly [string, readonly number[]] {
  const split = text.lastIndexOf('=');
  const sizes = text.slice(split + 1).split(',');
  const valid = split > 0 && sizes.length <= 8 && sizes.every((size) => /^[1-9]\d{0,6}$/.test(size));
  if (!valid) throw badValue(name, text, 'NAME=1,49,10,1 with up to 8 sizes of at least 1');
  return [text.slice(0, split), sizes.map(Number)];
}

/** An address such as `0x08020000`. */
export function parseAddress(text: string, name: string): number {
  const value = /^0x[0-9a-f]{1,8}$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw badValue(name, text, 'an address such as 0x08020000');
  return value;
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 * 1024 };

/** A number of bytes: `16384`, `16k`, `1M`, `0x4000`. */
export function parseBytes(text: string, name: string): number {
  const parts = /^(0x[0-9a-f]{1,8}|\d{1,9})([kKmM]?)(?:i?[bB])?$/.exec(text);
  const value = parts ? Number(parts[1]) * units[parts[2]!.toLowerCase()]! : 0;
  if (!(value >= 1 && value <= 2 ** 32))
    throw badValue(name, text, 'a number of bytes such as 16384, 16k or 1M');
  return value;
}

/** What `forceOption` gives. */
export interface ForceFlag {
  readonly force?: boolean;
}

/** For commands that write a folder. */
export const forceOption: OptionSpec = {
  flags: '--force',
  help: 'write also into a folder that holds files of others, and over those of the same names',
};

/** An emulated board that starts by itself. */
export const defaultBoard = 'virtual-stm32f405';

export const boardOption: OptionSpec = {
  flags: '--board <id>',
  help: 'the board; tinyml boards lists them',
  // A board file is known as an input from the moment it is read.
  path: 'none',
  fallback: defaultBoard,
  setting: 'board',
};

/** For commands that also serve a board that no file describes. */
export const knownBoardOption: OptionSpec = {
  flags: '--board <id>',
  help: "the board behind the port; without it what the port's USB ids tell",
  path: 'none',
  setting: 'board',
};

export const portOption: OptionSpec = {
  flags: '-p, --port <port>',
  help: "the board's port: /dev/ttyACM0, COM5, VID:PID[:SERIAL], tcp://host:port, rfc2217://host:port",
  path: 'none',
  setting: 'port',
};

export const baudOption: OptionSpec = {
  flags: '-b, --baud <n>',
  help: "bits a second; without it the board's, or 115200",
  parse: countUpTo(12_000_000),
  setting: 'baud',
};

export const methodOption: OptionSpec = {
  flags: '--method <way>',
  help: 'flash by this of the ways that the board has, rather than by the first that is here (tinyml boards show ID)',
  path: 'none',
};

export const calibOption: OptionSpec = {
  flags: '--calib <data>',
  help: 'samples to quantize with: .npz, .npy, .csv, or a folder with one subfolder a class',
  path: 'input',
  setting: 'calib',
};

/** How results on labelled samples are judged. */
export const metricOption: OptionSpec = {
  flags: '--metric <name>',
  help: `score by this: ${metricNames.join(', ')}, or top-K (default: by what the labels are)`,
  parse: (text) => metricNamed(text).name,
};

/** For tables that name no column for the labels. */
export const lastIsLabelOption: OptionSpec = {
  flags: '--labels',
  help: 'the last column of a .csv holds the labels',
};

export const inputShapeOption: OptionSpec = {
  flags: '--input-shape <name=sizes>',
  help: 'fix the unknown dimensions of an input, for example input=1,49,10,1 (may be repeated)',
  parse: parseInputShape,
  repeat: true,
  setting: 'inputShape',
};

export const runEngineOption: OptionSpec = {
  flags: '--engine <engine>',
  help: 'float: our float graph; int8: the integer reference; c: generated C here; board: on the board; without it int8 where that is possible',
  choices: ['float', 'int8', 'c', 'board'],
  setting: 'engine',
};

export const quantizeOption: OptionSpec = {
  flags: '--quantize <scheme>',
  help: 'number format of weights and activations',
  choices: ['int8', 'int16x8', 'float'],
  fallback: 'int8',
  setting: 'quantize',
};

export const optimizeOption: OptionSpec = {
  flags: '--optimize <goal>',
  help: 'what the generated C is tuned for',
  choices: ['speed', 'size'],
  fallback: 'speed',
  setting: 'optimize',
};

export const weightsOption: OptionSpec = {
  flags: '--weights <form>',
  help: 'coded: weights take less flash, and are decoded before each layer where that is quick and needs no more RAM',
  choices: ['plain', 'coded'],
  fallback: 'plain',
  setting: 'weights',
};

/** Every name that a configuration file or the environment may set. */
export const settingNames: readonly string[] = Object.keys(settingTable);
