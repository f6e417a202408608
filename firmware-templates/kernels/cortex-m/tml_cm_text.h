/* For functions of assembly whose numbers are literals. */
#ifndef TML_CM_TEXT_H
#define TML_CM_TEXT_H

#define TML_CM_UNUSED __attribute__((unused))
#define TML_CM_TEXT(x) TML_CM_TEXT_(x)
#define TML_CM_TEXT_(x) #x
/* A number for the assembler's expressions, which is local to the file and may be set again. */
#define TML_CM_SET(symbol, value) ".set .L" symbol ", " TML_CM_TEXT(value) "\n\t"

#endif
