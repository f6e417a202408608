import type { BinaryAttributes } from '../elementwise.ts';
import { activationCode, readActivation, withActivation } from './activation.ts';
import type { TfliteForm, TfliteRead, TfliteVersions, TfliteWrite } from './form.ts';
import { requireSharedScale } from './shared-scale.ts';

/** MUL whose product of scales is at least the output's needs a newer kernel. */
const wideRescaleVersion = 3;

/** ADD and SUB have a second int16 arithmetic, for scales that are powers of two, chosen by an option. */
const withPowerOfTwoOption = ['ADD', 'SUB'];

function readBinary(call: TfliteRead) {
  const inputs = [call.input(0), call.input(1)];
  const usesPowersOfTwo =
    withPowerOfTwoOption.includes(call.builtin) &&
    inputs[0]!.type.dtype === 'int16' &&
    call.flag('potScaleInt16');
  if (usesPowersOfTwo) throw call.refuse('potScaleInt16 is set; int16 needs general scales');
  return { inputs, attrs: { activation: readActivation(call) } };
}

function binaryVersion(builtin: string, call: TfliteWrite<BinaryAttributes>): number {
  if (builtin !== 'MUL' || call.output.type.dtype !== 'int8') return call.version;
  const scale = (position: number) => call.inputs[position]!.type.quant!.scale[0]!;
  const rescale = (scale(0) * scale(1)) / call.output.type.quant!.scale[0]!;
  return rescale >= 1 ? wideRescaleVersion : call.version;
}

/** Arithmetic on two inputs with a fused activation. */
export function tfliteBinary(builtin: string, versions: TfliteVersions): TfliteForm<BinaryAttributes> {
  return {
    versions,
    read: { [builtin]: readBinary },
    write(call) {
      const fusedActivationFunction = activationCode(call.attrs.activation);
      const potScale = withPowerOfTwoOption.includes(builtin) && call.output.type.dtype === 'int16';
      const options = { fusedActivationFunction, ...(potScale ? { potScaleInt16: false } : {}) };
      const version = binaryVersion(builtin, call);
      return [{ builtin, version, options, inputs: call.inputs, output: call.output }];
    },
  };
}

/** MAXIMUM and MINIMUM: no fused activation, and integers are compared as they are stored. */
export function tfliteSelect(builtin: string, versions: TfliteVersions): TfliteForm<BinaryAttributes> {
  return {
    versions,
    read: {
      [builtin]: (call) => ({ inputs: [call.input(0), call.input(1)], attrs: { activation: 'none' } }),
    },
    write(call) {
      requireSharedScale(call);
      const { inputs, version, output } = call;
      return withActivation(call, { builtin, version, inputs, output });
    },
  };
}
