/*
 * What makes lines a dump: their order, and the last one, which has their number,
 * the number of keys, and the SHA-256 of all bytes before it.
 *
 * Calling sequence, to write: dump_sum_init, dump_sum_add each line,
 * dump_sum_end, dump_sum_release. To read: dump_check_init, dump_check_line with
 * each line, dump_check_end, dump_check_release.
 * Threads: one. Errors: words for what is wrong.
 */
#ifndef DUMP_CHECK_H
#define DUMP_CHECK_H

#include <openssl/evp.h>

#include "aedb.h"
#include "dump_line.h"

struct dump_sum {
	EVP_MD_CTX *sha256;
	uint64_t lines, keys, rows;
	bool has_failed;	/* the library of checksums has */
};
int dump_sum_init(struct dump_sum *sum);	/* -1: no memory */
void dump_sum_release(struct dump_sum *sum);
/* A whole line, with its newline. */
void dump_sum_add(struct dump_sum *sum, const char *text, size_t n,
		  enum dump_kind kind);
/* The last line, with a newline and a NUL; its length. Adds nothing. 0: failed. */
#define DUMP_END_BYTES 160
size_t dump_sum_end(const struct dump_sum *sum, char ret[DUMP_END_BYTES]);

struct dump_check {
	struct dump_sum sum;
	struct dump_reader reader;
	enum dump_kind last;	/* but parts and grants; of lines before */
	bool is_ended;
	char project[AEDB_NAME_BYTES_MAX + 1];	/* "": none yet */
	char scope[AEDB_NAME_BYTES_MAX + 1];
	char table[AEDB_NAME_BYTES_MAX + 1];
	uint64_t value_bytes;	/* of a value in parts, and how far they are */
	uint64_t value_at;
};
int dump_check_init(struct dump_check *check);	/* -1: no memory */
void dump_check_release(struct dump_check *check);
/* The next line, with its newline; the text may be changed. *ret is borrowed until
 * the next line, and nothing is written there at the last line. NULL, or what is
 * wrong; static. */
const char *dump_check_line(struct dump_check *check, char *text, size_t n,
			    struct dump_line *ret);
/* The dump ends here. NULL, or what is wrong. */
const char *dump_check_end(const struct dump_check *check);

#endif
