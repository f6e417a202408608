/* Runs a generated model on the machine that compiled it: samples on stdin, results on stdout, until stdin ends. */
#include "tml_model.h"

#include <stdio.h>

#define EXIT_MODEL 2 /* the model refuses */
#define EXIT_INPUT 3 /* stdin ends inside a sample */
#define EXIT_OUTPUT 4

extern const struct tml_model model_info;

/* 1 when a whole sample was read, 0 at the end of stdin, -1 when it ends too early. */
static int read_sample(void)
{
	for (unsigned i = 0; i < model_info.input_count; i++) {
		const struct tml_tensor *input = &model_info.inputs[i];
		size_t length = fread(input->data, 1, input->bytes, stdin);

		if (length == 0 && i == 0)
			return 0;
		if (length != input->bytes)
			return -1;
	}
	return 1;
}

static int write_results(void)
{
	for (unsigned i = 0; i < model_info.output_count; i++) {
		const struct tml_tensor *output = &model_info.outputs[i];

		if (fwrite(output->data, 1, output->bytes, stdout) != output->bytes)
			return -1;
	}
	return 0;
}

int main(void)
{
	int state;

	if (model_info.init() != TML_OK)
		return EXIT_MODEL;
	while ((state = read_sample()) > 0) {
		if (model_info.invoke() != TML_OK)
			return EXIT_MODEL;
		if (write_results() != 0)
			return EXIT_OUTPUT;
	}
	return state == 0 ? 0 : EXIT_INPUT;
}
