import { nearest } from '../../common/nearest.ts';
import { TinymlError } from '../../common/tinyml-error.ts';

/** Layers listed in a message before the rest is only counted. */
const listed = 20;

export function activationNotFinite(origin: string): TinymlError {
  return new TinymlError({
    code: 'E_CALIBRATION_NOT_FINITE',
    exit: 1,
    what: `calibration: layer ${JSON.stringify(origin)} gives values that are not finite on the calibration data`,
    hint: 'check the calibration data for scale and units, and the model for a division by zero or an overflow',
  });
}

export function cannotQuantize(origin: string, op: string): TinymlError {
  return new TinymlError({
    code: 'E_QUANTIZE_UNSUPPORTED',
    exit: 1,
    what: `node ${JSON.stringify(origin)} uses ${op}, which has no int8 form`,
    hint: 'convert with --quantize float, or replace the operator; docs/ops.md lists what has an int8 form',
  });
}

export function weightsNotConstant(origin: string, op: string): TinymlError {
  return new TinymlError({
    code: 'E_QUANTIZE_WEIGHTS',
    exit: 1,
    what: `node ${JSON.stringify(origin)} (${op}) computes its weights at run time, which int8 quantization does not cover`,
    hint: 'convert with --quantize float',
  });
}

/** A quantized model in which some values have no scale. */
export function partlyQuantized(names: readonly string[]): TinymlError {
  const more = names.length > listed ? ` and ${names.length - listed} more` : '';
  return new TinymlError({
    code: 'E_QUANTIZED_PARTLY',
    exit: 1,
    what: 'the model is quantized in part: some values have no scale',
    measure: `without: ${names.slice(0, listed).join(', ')}${more}`,
    hint: 'quantize all operators when exporting it, or give the float model with --calib',
  });
}

export function cannotMark(origin: string, dtype: string): TinymlError {
  return new TinymlError({
    code: 'E_QUANTIZED_EXPORT',
    exit: 1,
    what: `layer ${JSON.stringify(origin)} computes in ${dtype}, which QuantizeLinear of ONNX before opset 21 has not`,
    hint: 'convert with --to tflite, or with int8 throughout',
  });
}

export function cannotStayFloat(origin: string, op: string): TinymlError {
  return new TinymlError({
    code: 'E_KEEP_FLOAT',
    exit: 1,
    what: `layer ${JSON.stringify(origin)} (${op}) cannot stay in float within an integer model`,
    hint: 'give it 16-bit activations with --int16, or convert the whole model with --quantize float',
  });
}

export function cannotCluster(origin: string, op: string): TinymlError {
  return new TinymlError({
    code: 'E_CLUSTER',
    exit: 1,
    what: `layer ${JSON.stringify(origin)} (${op}) has no weights to cluster`,
    hint: 'name a convolution, depthwise convolution or fully connected layer, or give --cluster 16 for all convolutions',
  });
}

export function calibrationNeeded(shapes: readonly (readonly number[])[]): TinymlError {
  const wanted = shapes.map((shape) => `[N,${shape.slice(1).join(',')}]`).join(' and ');
  return new TinymlError({
    code: 'E_CALIBRATION_NEEDED',
    exit: 1,
    what: 'a float model needs calibration data to be quantized to int8',
    measure: `a few hundred typical inputs of shape ${wanted}`,
    hint: 'give them with --calib data.npz (or .npy, .csv), or convert with --quantize float',
  });
}

export function unknownLayer(name: string, layers: readonly string[]): TinymlError {
  const match = nearest(name, layers);
  const more = layers.length > listed ? ` and ${layers.length - listed} more` : '';
  return new TinymlError({
    code: 'E_UNKNOWN_LAYER',
    exit: 1,
    what: `the model has no layer ${JSON.stringify(name.slice(0, 80))}`,
    measure: `layers: ${layers.slice(0, listed).join(', ')}${more}`,
    hint: match === undefined ? 'tinyml inspect MODEL lists the layers' : `did you mean ${match}?`,
  });
}
