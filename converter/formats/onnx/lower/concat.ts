import { frontAxis, type Lowering, operand, rankOf } from './lowering.ts';

export const concat: Lowering = {
  op: 'Concat',
  notes: '',
  lower(node, build) {
    const inputs = node.inputs.map((_, position) => operand(node, position));
    const axis = frontAxis(node.attrs.int('axis', 1), rankOf(operand(node, 0)));
    const [first] = inputs;
    return [inputs.length === 1 ? first! : build.emit('concatenation', inputs, { axis })];
  },
};
