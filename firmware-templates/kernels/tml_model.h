/* What a generated model offers to a program: its tensors, its layers, and the two calls.
 * Tables are constant and unreferenced parts are dropped by the linker (--gc-sections). */
#ifndef TML_MODEL_H
#define TML_MODEL_H

#include <stdint.h>

#define TML_OK 0
#define TML_ERR_ARGUMENT (-1)

/* Element types of tensors at the model's edge and between its layers. */
#define TML_TYPE_FLOAT32 0
#define TML_TYPE_INT8 1
#define TML_TYPE_INT16 2
#define TML_TYPE_INT32 3
#define TML_TYPE_UINT8 4

struct tml_tensor {
	void *data;
	uint32_t bytes;
	uint8_t type; /* TML_TYPE_* */
};

/* One step of the network; output is valid right after run() and until a later layer reuses its place. */
struct tml_layer {
	void (*run)(void);
	const void *output;
	uint32_t output_bytes;
};

struct tml_model {
	uint8_t hash[8]; /* first bytes of the SHA-256 of model.tflite */
	const struct tml_tensor *inputs;
	const struct tml_tensor *outputs;
	const struct tml_layer *layers;
	uint16_t input_count;
	uint16_t output_count;
	uint16_t layer_count;
	uint32_t arena_bytes;
	uint32_t weights_bytes;
	int (*init)(void);
	int (*invoke)(void);
};

#endif
