// The converted model under TensorFlow Lite Micro, offered to the benchmark like a generated one, but without layers.
#include "model_data.h"
#include "op_resolver.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"

extern "C" {
#include "tml_config.h"
#include "tml_model.h"
}

namespace {

alignas(16) unsigned char arena[kTensorArenaSize + TML_TFLM_RESERVE];
tml_tensor inputs[TML_TFLM_INPUTS];
tml_tensor outputs[TML_TFLM_OUTPUTS];
tflite::MicroInterpreter *interpreter;

tml_tensor edge(TfLiteTensor *tensor)
{
	tml_tensor result = {};
	result.data = tensor->data.data;
	result.bytes = static_cast<uint32_t>(tensor->bytes);
	result.type = tensor->type == kTfLiteInt8 ? TML_TYPE_INT8 : TML_TYPE_FLOAT32;
	return result;
}

int init()
{
	static ModelOpResolver resolver;
	if (RegisterModelOps(resolver) != kTfLiteOk)
		return TML_ERR_ARGUMENT;
	static tflite::MicroInterpreter instance(tflite::GetModel(g_model), resolver, arena, sizeof arena);
	if (instance.AllocateTensors() != kTfLiteOk)
		return TML_ERR_ARGUMENT;
	interpreter = &instance;
	for (int i = 0; i < TML_TFLM_INPUTS; i++)
		inputs[i] = edge(instance.input(i));
	for (int i = 0; i < TML_TFLM_OUTPUTS; i++)
		outputs[i] = edge(instance.output(i));
	return TML_OK;
}

int invoke()
{
	return interpreter->Invoke() == kTfLiteOk ? TML_OK : TML_ERR_ARGUMENT;
}

}  // namespace

extern "C" const tml_model model_info = {
	TML_TFLM_HASH, inputs, outputs, nullptr, TML_TFLM_INPUTS, TML_TFLM_OUTPUTS, 0, sizeof arena, 0, init, invoke,
};
