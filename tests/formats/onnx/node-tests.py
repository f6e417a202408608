# Prints ONNX's own operator tests as JSON lines: models, inputs and expected outputs. Arguments: operators to keep.
# Inputs that only a constant can be (integers, weights) become initializers. With "constant" every input does, and the
# result is cast and added to an extra input, so that folding at import has to produce it.
import base64, glob, json, os, sys, warnings

warnings.simplefilter('ignore')
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

keep = set(sys.argv[1:])
several = {'Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Concat'}


def stored():
    data = os.path.join(os.path.dirname(onnx.__file__), 'backend', 'test', 'data')
    for folder in sorted(glob.glob(data + '/pytorch-*/*') + glob.glob(data + '/simple/*')):
        if not os.path.exists(folder + '/model.onnx'):
            continue
        read = lambda kind: [load(p) for p in sorted(glob.glob(f'{folder}/test_data_set_0/{kind}_*.pb'))]
        model = onnx.load(folder + '/model.onnx')
        # These were written for opset 6, which broadcast by attribute; without that, they mean the same in opset 7.
        attributes = {attribute.name for node in model.graph.node for attribute in node.attribute}
        if attributes & {'broadcast', 'is_test'} or 'multiparam' in folder:
            continue
        for opset in model.opset_import:
            opset.version = max(opset.version, 7)
        yield os.path.basename(folder), model, read('input'), read('output')


def load(path):
    tensor = onnx.TensorProto()
    with open(path, 'rb') as file:
        tensor.ParseFromString(file.read())
    return numpy_helper.to_array(tensor)


def generated():
    for case in collect_testcases(None):
        if case.data_sets:
            yield case.name, case.model, list(case.data_sets[0][0]), list(case.data_sets[0][1])


def pack(array):
    values = np.asarray(array, dtype=np.float32, order='C')
    return {'shape': list(values.shape), 'data': base64.b64encode(values.tobytes()).decode()}


def numeric(array):
    return isinstance(array, (np.ndarray, np.generic)) and np.asarray(array).dtype.kind in 'fiub'


def inputs_of(model):
    stored = {tensor.name for tensor in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in stored]


def make_constant(model, value, array):
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), value.name))
    model.graph.input.remove(value)


def computed(model, arrays):
    """The first float input stays an input; others too where the operator takes several computed values."""
    several_computed = all(node.op_type in several for node in model.graph.node)
    left = []
    for value, array in zip(inputs_of(model), arrays):
        if array.dtype.kind == 'f' and (not left or several_computed):
            left.append(array)
        else:
            make_constant(model, value, array)
    return left


def constant(model, arrays):
    for value, array in zip(inputs_of(model), arrays):
        make_constant(model, value, array)
    extra = helper.make_tensor_value_info('extra', TensorProto.FLOAT, [])
    model.graph.input.append(extra)
    for output in list(model.graph.output):
        name = output.name
        model.graph.node.append(helper.make_node('Cast', [name], [name + '_cast'], to=TensorProto.FLOAT))
        model.graph.node.append(helper.make_node('Add', [name + '_cast', 'extra'], [name + '_sum']))
        output.name = name + '_sum'
    return [np.zeros([], np.float32)]


for source in (generated, stored):
    for name, model, inputs, outputs in source():
        if not all(node.op_type in keep for node in model.graph.node):
            continue
        if not all(numeric(a) for a in inputs + outputs):
            continue
        if len(inputs) != len(inputs_of(model)) or sum(np.asarray(a).size for a in inputs) > 1 << 20:
            continue
        arrays = [np.asarray(a) for a in inputs]
        finite = all(np.isfinite(np.asarray(a, np.float64)).all() for a in outputs)
        for variant, change in (('computed', computed), ('constant', constant)):
            own = onnx.ModelProto()
            own.CopyFrom(model)
            left = change(own, arrays)
            # Folded constants that are not finite are refused like weights that are not.
            if not left or (variant == 'constant' and not finite):
                continue
            print(json.dumps({
                'name': f'{name} {variant}',
                'model': base64.b64encode(own.SerializeToString()).decode(),
                'inputs': [pack(a) for a in left],
                'outputs': [pack(a) for a in outputs],
            }))
