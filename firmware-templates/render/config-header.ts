/** A line of tml_config.h. */
export type Define = readonly [name: string, value: string | number];

/** A banner names the user's files: only characters that end no comment and continue no line are kept. */
export const plainText = (text: string) => text.replace(/[^A-Za-z0-9 ._,:;/+=@()-]/g, '_');

export function configHeader(banner: string, defines: readonly Define[]): string {
  const lines = defines.map(([name, value]) => `#define ${name} ${value}`);
  return `/* ${plainText(banner)} */\n#ifndef TML_CONFIG_H\n#define TML_CONFIG_H\n\n${lines.join('\n')}\n\n#endif\n`;
}
