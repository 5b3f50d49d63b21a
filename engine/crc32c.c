/*
 * CRC32C with the processor's instruction where it has one, else by tables.
 *
 * The instruction takes three cycles but one starts every cycle, so long input
 * is cut into three streams whose checksums are joined: the checksum of a
 * stream is moved over the next one's bytes by a table. What is left of the
 * long streams, and shorter input, is cut into short ones.
 *
 * Invariants:
 * 1. The tables and `implementation` are filled before main and constant then.
 */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

#define POLYNOMIAL 0x82f63b78u	/* Castagnoli, bits reversed */

enum { SHORT, LONG };
/* Multiples of 8. */
static const size_t stream_bytes[] = { [SHORT] = 256, [LONG] = 1024 };
#define PREFETCH_DISTANCE ((size_t)6 << 10)

/* table[k][b]: byte b followed by k zero bytes. constant after start */
static uint32_t table[8][256];
/* over_stream[length][k][b]: byte k of a state moved over that many zero bytes.
 * constant after start */
static uint32_t over_stream[2][4][256];

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t w = bytes_load_le64(p) ^ crc;

		crc = 0;
		for (int k = 0; k < 8; k++)
			crc ^= table[7 - k][(w >> (8 * k)) & 0xff];
	}
	for (; n; n--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)

static uint32_t move_over(const uint32_t moved[4][256], uint32_t state)
{
	return moved[0][state & 0xff] ^ moved[1][(state >> 8) & 0xff] ^
	       moved[2][(state >> 16) & 0xff] ^ moved[3][state >> 24];
}

__attribute__((target("sse4.2")))
static uint32_t crc_three_streams(uint32_t state, const uint8_t *p, int length)
{
	size_t n = stream_bytes[length];
	uint64_t a = state, b = 0, c = 0;

	for (size_t i = 0; i < n; i += 8) {
		a = __builtin_ia32_crc32di(a, bytes_load_le64(p + i));
		b = __builtin_ia32_crc32di(b, bytes_load_le64(p + n + i));
		c = __builtin_ia32_crc32di(c, bytes_load_le64(p + 2 * n + i));
	}
	state = move_over(over_stream[length], (uint32_t)a) ^ (uint32_t)b;
	return move_over(over_stream[length], state) ^ (uint32_t)c;
}

/* Three streams at once are more than the processor sees coming by itself, so
 * that what is not in its cache would take twice as long. */
static void prefetch(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 64)
		__builtin_prefetch(p + i);
}

__attribute__((target("sse4.2")))
static uint32_t crc_instruction(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t state = (uint32_t)~crc;

	for (int length = LONG; length >= SHORT; length--) {
		size_t at_once = 3 * stream_bytes[length];

		if (length == LONG && n >= at_once)
			prefetch(p, n < PREFETCH_DISTANCE ? n :
							    PREFETCH_DISTANCE);
		for (; n >= at_once; n -= at_once, p += at_once) {
			if (n >= PREFETCH_DISTANCE + at_once)
				prefetch(p + PREFETCH_DISTANCE, at_once);
			state = crc_three_streams((uint32_t)state, p, length);
		}
	}
	for (; n >= 8; n -= 8, p += 8)
		state = __builtin_ia32_crc32di(state, bytes_load_le64(p));
	if (n >= 4) {
		state = __builtin_ia32_crc32si((uint32_t)state,
					       bytes_load_le32(p));
		p += 4;
		n -= 4;
	}
	for (; n; n--)
		state = __builtin_ia32_crc32qi((uint32_t)state, *p++);
	return ~(uint32_t)state;
}

static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

#else

#define crc_instruction crc32c_portable

static bool has_instruction(void)
{
	return false;
}

#endif

/* constant after start */
static uint32_t (*implementation)(uint32_t, const void *, size_t) =
	crc32c_portable;

static void table_fill(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint32_t c = b;

		for (int i = 0; i < 8; i++)
			c = (c >> 1) ^ (c & 1 ? POLYNOMIAL : 0);
		table[0][b] = c;
	}
	for (int k = 1; k < 8; k++)
		for (unsigned b = 0; b < 256; b++)
			table[k][b] = (table[k - 1][b] >> 8) ^
				      table[0][table[k - 1][b] & 0xff];
}

static void over_stream_fill(size_t bytes, uint32_t ret[4][256])
{
	uint32_t bit[32];

	for (int i = 0; i < 32; i++) {
		bit[i] = 1u << i;
		for (size_t n = 0; n < bytes; n++)
			bit[i] = (bit[i] >> 8) ^ table[0][bit[i] & 0xff];
	}
	for (int k = 0; k < 4; k++)
		for (unsigned b = 0; b < 256; b++)
			for (int i = 0; i < 8; i++)
				if (b & (1u << i))
					ret[k][b] ^= bit[8 * k + i];
}

__attribute__((constructor))
static void crc32c_start(void)
{
	table_fill();
	for (int length = SHORT; length <= LONG; length++)
		over_stream_fill(stream_bytes[length], over_stream[length]);
	if (has_instruction())
		implementation = crc_instruction;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
	return implementation(crc, data, n);
}
