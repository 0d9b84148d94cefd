#include "adler32.h"

/* RFC 1950, 8.2: the largest prime below 65536, and how many sums fit into 32 bits before a division. */
enum { BASE = 65521, MOST = 5552 };

uint32_t adler32_update(uint32_t adler, const uint8_t *bytes, size_t length)
{
	uint32_t low = adler & 0xffff, high = adler >> 16;

	while (length > 0) {
		size_t run = length < MOST ? length : MOST;
		length -= run;
		for (; run > 0; run--) {
			low += *bytes++;
			high += low;
		}
		low %= BASE;
		high %= BASE;
	}
	return high << 16 | low;
}
