/*
 * Values that move out of value files: what is read through the new references,
 * what is copied and how often, and what damage and failing disks leave.
 */
#include "page_moves.h"
#include "relocate.h"
#include "value_pool.h"

#define FILES_MAX 512
#define KNOWN_MAX FILES_MAX

/* Where each value is after a relocation, and what it says it refers to. */
struct moved {
	struct value_ref ref[POOL_VALUES_MAX];
	struct value_share *shares[POOL_VALUES_MAX];
	size_t n_shares[POOL_VALUES_MAX];
	file_id_t damaged[FILES_MAX];
	size_t n_damaged;
	uint64_t bytes;
};

static void moved_free(struct moved *moved)
{
	for (size_t i = 0; i < POOL_VALUES_MAX; i++)
		free(moved->shares[i]);
	free(moved);
}

static int move_one(struct relocation *r, const struct value_ref *ref, size_t i,
		    struct moved *ret)
{
	uint8_t bytes[VALUE_REF_BYTES_MAX];
	struct entry entry = { .is_ref = true, .value = bytes };
	struct relocated relocated;
	int rc;

	entry.value_bytes = (uint32_t)value_ref_encode(ref, bytes);
	rc = relocation_entry(r, &entry, &relocated);
	if (rc < 0)
		return rc;
	CHECK_OK(value_ref_decode(relocated.value, relocated.value_bytes,
				  &ret->ref[i]));
	ret->n_shares[i] = relocated.n_shares;
	ret->shares[i] = malloc((relocated.n_shares + 1) *
				sizeof(*ret->shares[i]));
	memcpy(ret->shares[i], relocated.shares,
	       relocated.n_shares * sizeof(*ret->shares[i]));
	return 0;
}

/* Moves every value of the pool out of these files. */
static int move_all(struct pool *p, const file_id_t *emptied, size_t n,
		    struct pace *pace, struct moved *ret)
{
	static file_id_t known[KNOWN_MAX];
	struct relocation_options options = {
		.values = p->values, .emptied = emptied, .n_emptied = n,
		.known = known, .pages_max = 1 << 20, .pace = pace,
	};
	struct relocation *r;
	const file_id_t *damaged;
	int rc;

	options.n_known = pool_files(p, known, KNOWN_MAX);
	rc = relocation_open(&options, &r);
	for (size_t i = 0; rc == 0 && i < p->n; i++)
		rc = move_one(r, &p->at[i].ref, i, ret);
	if (rc == 0)
		rc = relocation_finish(r);
	damaged = relocation_damaged(r, &ret->n_damaged);
	if (ret->n_damaged)
		memcpy(ret->damaged, damaged, ret->n_damaged * sizeof(*damaged));
	ret->bytes = relocation_bytes(r);
	relocation_close(r);
	return rc;
}

static bool is_among(const file_id_t *files, size_t n, file_id_t file)
{
	for (size_t i = 0; i < n; i++)
		if (files[i] == file)
			return true;
	return false;
}

/* Values of all kinds, in several files. */
static void fill_pool(struct pool *p, int files)
{
	for (int i = 0; i < files; i++) {
		for (int j = 0; j < 6; j++) {
			pool_add_small(p);
			if (check_random() % 3 == 0)
				pool_add_large(p);
			else if (check_random() % 2)
				pool_add_change(p, pool_add_large(p));
		}
		for (size_t j = p->n; j-- > 0;)
			if (!p->at[j].ref.is_page && check_random() % 4 == 0 &&
			    p->n < POOL_VALUES_MAX - 20)
				pool_add_change(p, j);
		pool_cut(p);
	}
}

static size_t choose_files(struct pool *p, file_id_t *ret)
{
	file_id_t all[FILES_MAX];
	size_t n = pool_files(p, all, FILES_MAX), left = 0;

	for (size_t i = 0; i < n; i++)
		if (check_random() % 2)
			ret[left++] = all[i];
	return left;
}

static void shares_add(struct value_share *shares, const struct page_ref *page)
{
	shares[page->file].bytes += page_disk_bytes(page->stored_bytes);
}

/* Every page a reference leads to, by file. */
static void shares_count(struct values *values, const struct value_ref *ref,
			 struct value_share *ret)
{
	struct value_slot slots[VALUE_MAP_REFS];
	struct value_root root;
	size_t n;

	shares_add(ret, &ref->root);
	if (ref->is_page)
		return;
	CHECK_OK(values_load_root(values, ref, &root));
	for (size_t m = 0; m < root.n_maps; m++) {
		shares_add(ret, &root.maps[m].ref);
		CHECK_OK(values_load_map(values, &root.maps[m].ref, slots, &n));
		for (size_t i = 0; i < n; i++)
			shares_add(ret, &slots[i].ref);
	}
	value_root_release(&root);
}

static void check_shares(struct pool *p, const struct moved *moved, size_t i)
{
	static struct value_share counted[FILES_MAX];
	size_t in_use = 0;

	memset(counted, 0, sizeof(counted));
	shares_count(p->values, &moved->ref[i], counted);
	for (size_t j = 0; j < FILES_MAX; j++)
		in_use += counted[j].bytes > 0;
	CHECK_EQ(moved->n_shares[i], in_use);
	for (size_t j = 0; j < moved->n_shares[i]; j++)
		CHECK_EQ(moved->shares[i][j].bytes,
			 counted[moved->shares[i][j].file].bytes);
}

TEST(moves, "values read as before out of other files, and say where they lie")
{
	for (int round = 0; round < 12; round++) {
		struct moved *moved = calloc(1, sizeof(*moved));
		file_id_t emptied[FILES_MAX];
		struct pace pace;
		struct pool p;
		size_t n;

		pool_open(&p);
		pace_init(&pace, 0);
		fill_pool(&p, 4);
		n = choose_files(&p, emptied);
		CHECK_OK(move_all(&p, emptied, n, &pace, moved));
		CHECK_EQ(moved->n_damaged, 0);
		CHECK_EQ(pace_done_bytes(&pace), moved->bytes);
		for (size_t i = 0; i < p.n; i++) {
			check_shares(&p, moved, i);
			pool_check(&p, i, &p.at[i].ref);
		}
		for (size_t i = 0; i < n; i++)
			CHECK_OK(values_remove_file(p.values, emptied[i]));
		pool_reopen(&p);
		for (size_t i = 0; i < p.n; i++) {
			pool_check(&p, i, &moved->ref[i]);
			for (size_t j = 0; j < moved->n_shares[i]; j++)
				CHECK(!is_among(emptied, n,
						moved->shares[i][j].file));
		}
		moved_free(moved);
		pool_close(&p);
	}
}

TEST(shared, "what versions share is copied once")
{
	struct moved *moved = calloc(1, sizeof(*moved));
	file_id_t emptied[FILES_MAX];
	struct file_info info;
	uint64_t bytes = 0;
	struct pace pace;
	struct pool p;
	size_t n, last;

	pool_open(&p);
	pace_init(&pace, 0);
	last = pool_add_large(&p);
	for (int i = 0; i < 40; i++)
		last = pool_add_change(&p, last);
	p.at[p.n] = p.at[last];	/* attributes changed: the same reference */
	p.at[p.n].bytes = malloc(p.at[last].n);
	memcpy(p.at[p.n].bytes, p.at[last].bytes, p.at[last].n);
	p.n++;
	pool_cut(&p);
	n = pool_files(&p, emptied, FILES_MAX);
	CHECK_OK(move_all(&p, emptied, n, &pace, moved));
	for (size_t i = 0; i < n; i++) {
		CHECK_OK(file_set_info(values_files(p.values), emptied[i] - 1,
				       &info));
		bytes += info.bytes - FILE_DATA_OFFSET;
	}
	/* stages stored the map blocks and roots of seals only */
	CHECK_EQ(moved->bytes, bytes);
	for (size_t i = 0; i < p.n; i++)
		pool_check(&p, i, &moved->ref[i]);
	moved_free(moved);
	pool_close(&p);
}

/* Spoils a byte in the middle of a page. */
static void spoil(struct pool *p, const struct page_ref *page)
{
	char path[FILE_SET_PATH_BYTES];
	struct vfs_file *file;
	uint64_t at = page->offset + PAGE_HEADER_BYTES + page->stored_bytes / 2;
	uint8_t byte;

	file_set_path(values_files(p->values), page->file, path);
	CHECK_OK(vfs_file_open(p->vfs, path, VFS_WRITE, &file));
	CHECK_OK(vfs_read_exact(file, &byte, 1, at));
	byte ^= 0x10;
	CHECK_OK(vfs_write_all(file, &byte, 1, at));
	vfs_file_close(file);
}

/* Some page of a value: its chunk, a map block, its root. */
static struct page_ref random_page(struct pool *p, const struct value_ref *ref)
{
	struct value_slot slots[VALUE_MAP_REFS];
	struct page_ref page = ref->root;
	struct value_root root;
	uint64_t dice = check_random() % 3;
	size_t n;

	if (ref->is_page || dice == 0)
		return page;
	CHECK_OK(values_load_root(p->values, ref, &root));
	page = root.maps[check_random() % root.n_maps].ref;
	CHECK_OK(values_load_map(p->values, &page, slots, &n));
	if (dice == 1 && n)
		page = slots[check_random() % n].ref;
	value_root_release(&root);
	return page;
}

TEST(damage, "a damaged value stays where it is, keeps its files, and stops no other")
{
	for (int round = 0; round < 30; round++) {
		struct moved *moved = calloc(1, sizeof(*moved));
		bool is_readable[POOL_VALUES_MAX];
		file_id_t emptied[FILES_MAX];
		size_t n, hurt = 0;
		struct pace pace;
		struct pool p;

		pool_open(&p);
		pace_init(&pace, 0);
		fill_pool(&p, 2);
		n = pool_files(&p, emptied, FILES_MAX);
		for (int i = 0; i < 3; i++) {
			struct page_ref page = random_page(
				&p, &p.at[check_random() % p.n].ref);

			pool_reopen(&p);
			spoil(&p, &page);
			pool_reopen(&p);
			for (size_t j = 0; j < p.n; j++) {
				uint8_t *bytes = malloc(p.at[j].n);

				is_readable[j] = pool_read(p.values, &p.at[j].ref,
							   bytes, p.at[j].n) == 0;
				free(bytes);
			}
			hurt = 0;
			for (size_t j = 0; j < p.n; j++)
				hurt += !is_readable[j];
			if (hurt)
				break;
		}
		CHECK_OK(move_all(&p, emptied, n, &pace, moved));
		CHECK(hurt == 0 || moved->n_damaged > 0);
		for (size_t i = 0; i < n; i++)
			if (!is_among(moved->damaged, moved->n_damaged, emptied[i]))
				CHECK_OK(values_remove_file(p.values, emptied[i]));
		for (size_t i = 0; i < p.n; i++) {
			if (is_readable[i]) {
				pool_check(&p, i, &moved->ref[i]);
				continue;
			}
			CHECK_EQ(moved->ref[i].root.file, p.at[i].ref.root.file);
			CHECK_EQ(moved->ref[i].root.offset,
				 p.at[i].ref.root.offset);
			for (size_t j = 0; j < moved->n_shares[i]; j++)
				CHECK(!is_among(emptied, n,
						moved->shares[i][j].file) ||
				      is_among(moved->damaged, moved->n_damaged,
					       moved->shares[i][j].file));
		}
		moved_free(moved);
		pool_close(&p);
	}
}

TEST(lost_root, "a value whose root cannot be read keeps every file it could lie in")
{
	struct moved *moved = calloc(1, sizeof(*moved));
	file_id_t files[FILES_MAX];
	struct pace pace;
	struct pool p;
	size_t n;

	pool_open(&p);
	pace_init(&pace, 0);
	for (int i = 0; i < 3; i++) {
		pool_add_large(&p);
		pool_cut(&p);
	}
	n = pool_files(&p, files, FILES_MAX);
	pool_reopen(&p);
	spoil(&p, &p.at[1].ref.root);
	pool_reopen(&p);
	CHECK_OK(move_all(&p, files, 1, &pace, moved));
	CHECK_EQ(moved->n_damaged, 1);
	CHECK_EQ(moved->n_shares[1], n);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(moved->shares[1][i].file, files[i]);
	moved_free(moved);
	pool_close(&p);
}

/* Files that are there and were not before. */
static size_t new_files(struct pool *p, const file_id_t *before, size_t n)
{
	file_id_t now[FILES_MAX];
	size_t n_now = pool_files(p, now, FILES_MAX), more = 0;

	for (size_t i = 0; i < n_now; i++)
		more += !is_among(before, n, now[i]);
	return more;
}

static void fail_at(const struct pool *p, uint64_t call, enum simdisk_fault fault,
		    const file_id_t *files, size_t n)
{
	struct moved *moved = calloc(1, sizeof(*moved));
	struct pool copy = *p;
	struct pace pace;
	int rc;

	pace_init(&pace, 0);
	copy.disk = simdisk_clone(p->disk);
	copy.vfs = simdisk_vfs(copy.disk);
	CHECK_OK(values_open(copy.vfs, pool_uuid, 1, &copy.values));
	simdisk_fail_at(copy.disk, simdisk_calls(copy.disk) + call, fault);
	rc = move_all(&copy, files, n, &pace, moved);
	simdisk_fail_at(copy.disk, 0, fault);
	pool_reopen(&copy);
	for (size_t i = 0; i < p->n; i++)
		pool_check(&copy, i, rc == 0 ? &moved->ref[i] : &p->at[i].ref);
	CHECK(rc == 0 || new_files(&copy, files, n) == 0);
	values_close(copy.values);
	simdisk_free(copy.disk);
	moved_free(moved);
}

TEST(faults, "whichever call fails, the values are where they were or where they went")
{
	struct moved *moved = calloc(1, sizeof(*moved));
	file_id_t files[FILES_MAX];
	struct pace pace;
	uint64_t calls;
	struct pool p;
	size_t n;

	pool_open(&p);
	pace_init(&pace, 0);
	for (int i = 0; i < 3; i++) {
		pool_add_small(&p);
		pool_add_change(&p, pool_add_large(&p));
		pool_cut(&p);
	}
	n = pool_files(&p, files, FILES_MAX);
	pool_reopen(&p);
	calls = simdisk_calls(p.disk);
	struct simdisk *before = simdisk_clone(p.disk);

	CHECK_OK(move_all(&p, files, n, &pace, moved));
	calls = simdisk_calls(p.disk) - calls;
	CHECK(calls > 50);
	values_close(p.values);
	simdisk_free(p.disk);
	p.disk = before;
	p.vfs = simdisk_vfs(before);
	for (uint64_t call = 1; call <= calls; call++) {
		fail_at(&p, call, SIMDISK_EIO, files, n);
		fail_at(&p, call, SIMDISK_ENOSPC, files, n);
	}
	CHECK_OK(values_open(p.vfs, pool_uuid, 1, &p.values));
	moved_free(moved);
	pool_close(&p);
}

TEST(cancelled, "a cancelled relocation ends inside a value and leaves no file")
{
	struct moved *moved = calloc(1, sizeof(*moved));
	file_id_t files[FILES_MAX];
	struct pace pace;
	struct pool p;
	size_t n;

	pool_open(&p);
	pace_init(&pace, 0);
	pace_cancel(&pace);
	pool_add_large(&p);
	pool_cut(&p);
	n = pool_files(&p, files, FILES_MAX);
	CHECK_EQ(move_all(&p, files, n, &pace, moved), AEDB_BUSY);
	CHECK_EQ(new_files(&p, files, n), 0);
	CHECK(moved->bytes < p.at[0].n);
	pool_check(&p, 0, &p.at[0].ref);
	moved_free(moved);
	pool_close(&p);
}

TEST(moves_table, "as many pages are remembered as may be, each where it went last")
{
	struct page_moves moves;
	struct page_ref to;

	page_moves_init(&moves, 1000);
	CHECK(!page_moves_find(&moves, &(struct page_ref){ .file = 1 }, &to));
	for (uint64_t turn = 0; turn < 2; turn++)
		for (uint64_t i = 0; i < 3000; i++)
			page_moves_add(&moves,
				       &(struct page_ref){ .file = 1 + i % 7,
							   .offset = i * 8 },
				       &(struct page_ref){ .file = 9,
							   .offset = turn + i });
	CHECK_EQ(moves.n, 1000);
	for (uint64_t i = 0; i < 3000; i++) {
		struct page_ref from = { .file = 1 + i % 7, .offset = i * 8 };

		CHECK_EQ(page_moves_find(&moves, &from, &to), i < 1000);
		if (i < 1000)
			CHECK_EQ(to.offset, 1 + i);
	}
	page_moves_release(&moves);
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
