import type { TensorData } from '../ir/types.ts';
import { constantArray, cTypeOf } from './c-text.ts';
import type { PlannedConstant } from './planned-model.ts';

/** Constant arrays under unique names; equal ones are stored once. */
export class ConstantPool {
  readonly list: PlannedConstant[] = [];
  private readonly byContent = new Map<string, string>();

  add(wanted: string, data: TensorData): string {
    const content = cTypeOf(data) + constantArray('', data);
    const known = this.byContent.get(content);
    if (known !== undefined) return known;
    const name = this.list.some((constant) => constant.name === wanted)
      ? `${wanted}_${this.list.length}`
      : wanted;
    this.byContent.set(content, name);
    this.list.push({ name, text: constantArray(name, data), bytes: data.byteLength });
    return name;
  }

  bytes(): number {
    return this.list.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
