/* The device side of the benchmark protocol (docs/bench-protocol.md) over any port and any model. */
#ifndef TML_BENCH_H
#define TML_BENCH_H

#include "tml_model.h"
#include "tml_port.h"

/* A crash frame and its registers: pc ra mstatus sp mcause mtval a0 a1 a2 a3 a4 a5 t0 of a RISC-V core,
 * pc a0 ps sp exccause excvaddr a2 a3 a4 a5 a6 a7 a8 of an Xtensa core,
 * pc lr psr sp cfsr hfsr mmfar bfar r0 r1 r2 r3 r12 of a Cortex-M. */
#ifdef __riscv
#define TML_CRASH_FRAME 0xF2
#elif defined(__XTENSA__)
#define TML_CRASH_FRAME 0xF5
#else
#define TML_CRASH_FRAME 0xF0
#endif
#define TML_CRASH_WORDS 13

/* What the generated model.c defines. */
extern const struct tml_model model_info;

/* Prepares the model, calibrates the stopwatch and sends the ready frame. */
void tml_bench_start(const struct tml_port *port, const struct tml_model *model);

/* Takes one received byte; a byte that completes a valid request is answered before this returns. */
void tml_bench_feed(uint8_t byte);

/* Sends the crash frame, from a fault handler: needs no interrupt and nothing that start() prepared. */
void tml_bench_crash(const struct tml_port *port, const uint32_t registers[TML_CRASH_WORDS]);

#endif
