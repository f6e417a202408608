import { describe, expect, test } from 'vitest';
import { readCsv } from '../../converter/data/csv.ts';

const read = (text: string, lastIsLabel = false) =>
  readCsv(new TextEncoder().encode(text), 'data.csv', { lastIsLabel });
const messageOf = (text: string) => {
  try {
    read(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

describe('tables', () => {
  test.each([
    ['commas', 'a,b\n1,2\n3,4\n'],
    ['no names', '1,2\n3,4'],
    ['semicolons and CRLF', 'a;b\r\n1;2\r\n3;4\r\n'],
    ['tabs', '1\t2\n3\t4\n'],
    ['quotes, blanks and a byte order mark', '\ufeff"a", "b"\n"1", 2\n 3 ,"4"\n\n'],
  ])('%s', (_, text) => {
    const { x, y } = read(text);
    expect(x.shape).toEqual([2, 2]);
    expect(Array.from(x.data)).toEqual([1, 2, 3, 4]);
    expect(y).toBeUndefined();
  });

  test.each(['y', 'Label', 'class', 'TARGET'])(
    'a column named %s is the label, wherever it stands',
    (name) => {
      const { x, y } = read(`a,${name},b\n1,0,2\n3,1,4\n`);
      expect(Array.from(x.data)).toEqual([1, 2, 3, 4]);
      expect(Array.from(y!.data)).toEqual([0, 1]);
    },
  );

  test('words as labels are numbered in sorted order', () => {
    const { y, classes } = read('a,label\n1,worn\n2,good\n3,worn\n');
    expect(classes).toEqual(['good', 'worn']);
    expect(Array.from(y!.data)).toEqual([1, 0, 1]);
  });

  test('the last column is the label on request', () => {
    expect(Array.from(read('1,2,0\n3,4,1\n', true).y!.data)).toEqual([0, 1]);
  });

  test('errors name line and column', () => {
    expect(messageOf('a,b\n1,2\n3,x4\n')).toMatch(/^data\.csv:3:2: "x4" is not a number/);
    expect(messageOf('1,2\n3\n')).toMatch(/^data\.csv:2:2: the row has 1 cells, the first has 2/);
    expect(messageOf('1,2\n3,4,5\n')).toMatch(/^data\.csv:2:3:/);
    expect(messageOf('a,b\n0x10,2\n')).toMatch(/^data\.csv:2:1:/);
    expect(messageOf('')).toMatch(/empty/);
    expect(messageOf('a,b\n')).toMatch(/no rows/);
    expect(messageOf('1,2\n3,\0\n')).toMatch(/binary/);
  });
});
