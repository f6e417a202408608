import type { Activation } from '../define-op.ts';
import type { TfliteOperator, TfliteRead, TfliteVersions, TfliteWrite } from './form.ts';

/** `ActivationFunctionType`; the position is the number. */
const activations: readonly Activation[] = ['none', 'relu', 'reluN1To1', 'relu6'];

export function readActivation(call: TfliteRead): Activation {
  const code = call.number('fusedActivationFunction');
  const activation = activations[code];
  if (!activation) throw call.refuse(`fusedActivationFunction ${code} is not supported`);
  return activation;
}

export function activationCode(activation: Activation): number {
  return activations.indexOf(activation);
}

const operators: Readonly<
  Record<Exclude<Activation, 'none'>, { builtin: string; versions: TfliteVersions }>
> = {
  relu: { builtin: 'RELU', versions: { float32: 1, int8: 2, int16: 3 } },
  relu6: { builtin: 'RELU6', versions: { float32: 1, int8: 2, int16: 3 } },
  reluN1To1: { builtin: 'RELU_N1_TO_1', versions: { float32: 1, int8: 1 } },
};

/**
 * An operator that has no fused activation in TFLite, followed by the activation as an operator of its own where
 * the node has one.
 */
export function withActivation(
  call: TfliteWrite<{ readonly activation: Activation }>,
  operator: TfliteOperator,
): readonly TfliteOperator[] {
  const { activation } = call.attrs;
  if (activation === 'none') return [operator];
  const { builtin, versions } = operators[activation];
  const { dtype } = call.output.type;
  const version = versions[dtype];
  if (version === undefined) {
    throw call.refuse(`${builtin} does not take ${dtype}`, 'leave the activation out, or use another one');
  }
  const before = call.between('before_activation', call.output.type);
  return [
    { ...operator, output: before },
    { builtin, version, inputs: [before], output: call.output },
  ];
}
