import type { AttributeValue, Node } from '../ir/types.ts';
import { integerComplaint, type OpRules } from '../ir/verify.ts';
import type { AttributeKind } from './define-op.ts';
import { findOp, opOf } from './index.ts';

function complaintAbout(value: AttributeValue | undefined, kind: AttributeKind): string | undefined {
  switch (kind.kind) {
    case 'integer':
      return integerComplaint(value, kind.min, kind.max);
    case 'number':
      return typeof value === 'number' && !Number.isNaN(value) ? undefined : `is ${String(value)}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `is ${String(value)}`;
    case 'choice':
      return typeof value === 'string' && kind.of.includes(value) ? undefined : `is ${String(value)}`;
    case 'integers': {
      if (!Array.isArray(value)) return `is ${String(value)}`;
      if (kind.length !== undefined && value.length !== kind.length) return `has ${value.length} numbers`;
      return value.map((one: number) => integerComplaint(one, kind.min)).find((complaint) => complaint);
    }
  }
}

function attributeComplaint(node: Node): string | undefined {
  const schema = opOf(node.op).attrs as Readonly<Record<string, AttributeKind>>;
  const unknown = Object.keys(node.attrs).find((name) => !Object.hasOwn(schema, name));
  if (unknown) return `has an unknown attribute ${unknown}`;
  for (const [name, kind] of Object.entries(schema)) {
    const complaint = complaintAbout(node.attrs[name], kind);
    if (complaint) return `attribute ${name} ${complaint}`;
  }
  const [least, most] = opOf(node.op).arity;
  if (node.inputs.length < least || node.inputs.length > most) return `has ${node.inputs.length} inputs`;
  return undefined;
}

/** The operator list in the form that `verify` asks for. */
export const opRules: OpRules = {
  isKnown: (op) => findOp(op) !== undefined,
  attributes: attributeComplaint,
  infer: (node, inputs) => opOf(node.op).infer(inputs, node.attrs),
};
