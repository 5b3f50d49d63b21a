/*
 * A file of the simulated disk: what programs see, what is on the disk, and
 * the changes in between that a power cut may keep, drop or tear.
 *
 * Content is held in pages shared between the two states and between clones,
 * so that syncing and cloning copy no bytes.
 * Threads: under the disk's mutex; pages are shared by clones of other threads.
 */
#ifndef SIM_FILE_H
#define SIM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_PAGE_BYTES 4096
#define SIM_SECTOR_BYTES 512

enum sim_fate {
	SIM_DROP,
	SIM_KEEP,
	SIM_RANDOM,
};

struct sim_page;
struct sim_change;

struct sim_content {
	struct sim_page **pages;	/* owned; NULL is zeros */
	size_t pages_n;
	uint64_t size;
};

struct sim_file {
	struct sim_content seen, durable;
	struct sim_change *changes;	/* owned; unsynced, in order */
	size_t changes_n, changes_cap;
	unsigned refs;			/* names, pending names, open handles */
	bool is_directory;
	bool is_counted;		/* while bytes are counted */
	uint64_t number;		/* never that of another file */
	int locks;			/* shared holders; -1: exclusive */
	struct sim_file *copy;		/* while a disk is cloned */
};

/* The next number of a generator (splitmix64). */
uint64_t sim_random(uint64_t *state);

struct sim_file *sim_file_new(bool is_directory);
void sim_file_ref(struct sim_file *file);
void sim_file_unref(struct sim_file *file);
/* A file in the same state with one reference. */
struct sim_file *sim_file_clone(const struct sim_file *file);

size_t sim_file_read(const struct sim_file *file, void *buf, size_t n,
		     uint64_t offset);
void sim_file_write(struct sim_file *file, const void *data, size_t n,
		    uint64_t offset);
void sim_file_truncate(struct sim_file *file, uint64_t size);
void sim_file_allocate(struct sim_file *file, uint64_t end);

void sim_file_sync(struct sim_file *file);
/* What a failed sync leaves: some changes reached the disk, the others never
 * will, and programs still see all. */
void sim_file_sync_failed(struct sim_file *file, uint64_t *random);
/* Power cut: each unsynced change is kept, dropped or torn, and what is on the
 * disk is what programs see. */
void sim_file_crash(struct sim_file *file, enum sim_fate fate, uint64_t *random);

#endif
