import type { TensorData } from '../ir/types.ts';
import type { KernelCall, KernelParams } from '../ops/integer/kernel-call.ts';

/** Longest text of the user's that a comment shows. */
const longestText = 120;

/**
 * Text of the user's as part of a C comment: no character that could end the comment, continue the line, form a
 * trigraph, or be anything but printable ASCII.
 */
export function commentText(text: string): string {
  const plain = text.slice(0, longestText).replace(/[^A-Za-z0-9 _.,:;()[\]+=@#<>|~!$%&/-]/g, '_');
  return text.length > longestText ? `${plain}...` : plain;
}

/** Words that C or its library gives a meaning to and a file or prefix must not take. */
const reserved = new Set(
  `auto break case char const continue default do double else enum extern float for goto if inline int long main
  register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while`.split(
    /\s+/,
  ),
);

/** A C identifier, lower case, made from any text. */
export function identifier(text: string, fallback: string): string {
  const plain = text
    .slice(0, 40)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[_0-9]+|_+$/g, '');
  if (plain === '' || plain.startsWith('tml_')) return fallback;
  return reserved.has(plain) ? `${plain}_` : plain;
}

/** A float constant that reads back as exactly the same number. */
export function floatLiteral(value: number): string {
  const single = Math.fround(value);
  if (single === Number.POSITIVE_INFINITY) return '3.402823466e+38f';
  if (single === Number.NEGATIVE_INFINITY) return '-3.402823466e+38f';
  if (Number.isNaN(single)) return '0.0f';
  const text = String(Number(single.toPrecision(9)));
  return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
}

/** A 32-bit constant; the lowest one has no literal of its own. */
export function integerLiteral(value: number): string {
  return value === -(2 ** 31) ? '(-2147483647 - 1)' : String(value);
}

const cTypes = new Map<unknown, string>([
  [Int8Array, 'int8_t'],
  [Uint8Array, 'uint8_t'],
  [Int16Array, 'int16_t'],
  [Int32Array, 'int32_t'],
  [BigInt64Array, 'int64_t'],
  [Float32Array, 'float'],
]);

/** The C type of an array's elements, undefined for what the library has no arrays of. */
export function cTypeOf(data: TensorData): string | undefined {
  return cTypes.get(data.constructor);
}

const lineWidth = 116;

/** Elements as initialisers, broken into lines. */
function initialisers(data: TensorData): string {
  const literal = data instanceof Float32Array ? floatLiteral : integerLiteral;
  const suffix = data instanceof BigInt64Array ? 'LL' : '';
  const lines: string[] = [];
  let line = '';
  for (const value of data) {
    const text = `${literal(Number(value))}${suffix},`;
    if (line.length + text.length > lineWidth) {
      lines.push(line);
      line = '';
    }
    line += text;
  }
  return [...lines, line].map((text) => `\t${text}`).join('\n');
}

/** The definition of a constant array. */
export function constantArray(name: string, data: TensorData): string {
  return `static const ${cTypeOf(data)} ${name}[${data.length}] TML_ALIGN(${data instanceof BigInt64Array ? 8 : 4}) = {\n${initialisers(data)}\n};\n`;
}

function memberValue(value: number | readonly number[] | KernelParams): string {
  if (typeof value === 'number') return integerLiteral(value);
  if (Array.isArray(value)) return `{${value.map(integerLiteral).join(', ')}}`;
  return `{${members(value as KernelParams)}}`;
}

function members(params: KernelParams): string {
  return Object.entries(params)
    .map(([name, value]) => `.${name} = ${memberValue(value)}`)
    .join(', ');
}

/** The initialiser of a call's parameter struct. */
export function structInitialiser({ params, floats = {} }: KernelCall): string {
  const reals = Object.entries(floats).map(([name, value]) => `.${name} = ${floatLiteral(value)}`);
  return `{${[members(params), ...reals].filter((part) => part !== '').join(', ')}}`;
}
