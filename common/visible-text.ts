/**
 * What a terminal or an editor acts on or hides instead of showing it: control, format, bidirectional and tag characters,
 * line and paragraph separators, lone surrogates, and all that Unicode says may be ignored when shown (UAX 44).
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** `\u202e` as JSON has it, `\u{e0041}` beyond four digits. */
function escaped(character: string): string {
  const digits = character.codePointAt(0)!.toString(16);
  return digits.length > 4 ? `\\u{${digits}}` : `\\u${digits.padStart(4, '0')}`;
}

/** Text whose every character can be seen: others stand as `\u202e`. Line feeds and tabs stay. */
export function visibleText(text: string): string {
  return text.replace(unseen, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );
}

/** As `visibleText`, on one line: a name must not look like more lines of ours. */
export function visibleLine(text: string): string {
  return text.replace(unseen, (character) => (character === '\t' ? ' ' : escaped(character)));
}

const utf16Escape = (character: string) =>
  Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');

/** JSON text that means the same and holds no character that cannot be seen. */
export function visibleJson(json: string): string {
  return json.replace(unseen, (character) => (character === '\n' ? character : utf16Escape(character)));
}
