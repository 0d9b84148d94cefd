#ifndef ADLER32_H
#define ADLER32_H

#include <stddef.h>
#include <stdint.h>

/* Adler-32 of what came before, continued with more bytes. It begins with 1. */
uint32_t adler32_update(uint32_t adler, const uint8_t *bytes, size_t length);

#endif
