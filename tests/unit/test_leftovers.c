/*
 * Files against the manifest: what is missing is told, what a crash left goes,
 * and nothing else does.
 */
#include "../simdisk.h"
#include "err.h"
#include "leftovers.h"
#include "segment_infos.h"

#define FILES 12

static const uint8_t uuid[FILE_UUID_BYTES] = "leftovers test";

struct place {
	struct simdisk *disk;
	struct file_set *segments, *values;
	struct manifest_state state;
};

static struct file_set *set_open(struct simdisk *disk, enum file_kind kind)
{
	bool is_values = kind == FILE_VALUES;
	struct file_set_options options = {
		.kind = kind, .directory = is_values ? "val" : "seg",
		.suffix = is_values ? "val" : "seg", .db_uuid = uuid, .next = 1,
	};
	struct file_set *set;

	CHECK_OK(file_set_open(simdisk_vfs(disk), &options, &set));
	return set;
}

static void files_make(struct file_set *set)
{
	for (int i = 0; i < FILES; i++) {
		struct page_file *file;

		CHECK_OK(file_set_create(set, FILE_SYNCED_BY_SET, &file));
		file_set_unuse(set, file);
	}
	CHECK_OK(file_set_sync(set));
}

/* Adds a segment to the state that refers to two value files, or none: 0. */
static void state_add(struct place *p, file_id_t number, file_id_t a, file_id_t b)
{
	struct segment_share shares[] = { { a, 10 }, { b, 20 } };
	struct segment_info info = segment_info_of(number, 0, "a", "b"), own;

	info.shares = shares;
	info.n_shares = a ? 2 : 0;
	CHECK_OK(segment_info_copy(&info, &own));
	CHECK_OK(manifest_add_segment(&p->state, &own));
}

/* Segments and value files 1 to FILES, of which the manifest knows some. */
static void place_open(struct place *p)
{
	memset(p, 0, sizeof(*p));
	p->disk = simdisk_new(1);
	p->segments = set_open(p->disk, FILE_SEGMENT);
	p->values = set_open(p->disk, FILE_VALUES);
	files_make(p->segments);
	files_make(p->values);
	file_set_close(p->segments);
	file_set_close(p->values);
	p->segments = set_open(p->disk, FILE_SEGMENT);
	p->values = set_open(p->disk, FILE_VALUES);
	state_add(p, 2, 3, 5);
	state_add(p, 7, 5, 11);
	state_add(p, 12, 0, 0);
}

static void place_close(struct place *p)
{
	file_set_close(p->segments);
	file_set_close(p->values);
	manifest_state_release(&p->state);
	simdisk_free(p->disk);
}

static void there_check(struct place *p, const char *directory,
			const char *const *want)
{
	struct vfs *vfs = simdisk_vfs(p->disk);
	char **names;
	size_t n;

	CHECK_OK(vfs->ops->list(vfs, directory, &names, &n));
	for (size_t i = 0; i < n && want[i]; i++)
		CHECK_STR(names[i], want[i]);
	CHECK(!want[n]);
	vfs_free_names(names, n);
}

TEST(removed, "what the manifest does not know and no commit of the log refers to is removed")
{
	struct page_file *file;
	struct place p;

	place_open(&p);
	CHECK_OK(leftovers_check(p.segments, p.values, &p.state));
	file_set_note_seq(p.values, 8, 100);
	CHECK_OK(file_set_create(p.values, FILE_SYNCED_BY_SET, &file));
	CHECK_EQ(file->number, 13);
	CHECK_OK(leftovers_remove(p.segments, p.values, &p.state));
	there_check(&p, "seg", (const char *[]){ "12.seg", "2.seg", "7.seg", NULL });
	there_check(&p, "val", (const char *[]){ "11.val", "13.val", "3.val", "5.val",
						 "8.val", NULL });
	file_set_unuse(p.values, file);
	CHECK_OK(leftovers_check(p.segments, p.values, &p.state));
	place_close(&p);
}

TEST(missing, "a segment or value file that the manifest knows and that is gone is damage")
{
	static const char *const names[] = { "seg/2.seg", "seg/12.seg", "val/3.val",
					     "val/11.val" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct place p;

		place_open(&p);
		file_set_close(p.segments);
		file_set_close(p.values);
		CHECK_OK(vfs_unlink(simdisk_vfs(p.disk), names[i]));
		p.segments = set_open(p.disk, FILE_SEGMENT);
		p.values = set_open(p.disk, FILE_VALUES);
		CHECK_EQ(leftovers_check(p.segments, p.values, &p.state),
			 AEDB_CORRUPT);
		CHECK(strstr(err_message(), names[i]));
		place_close(&p);
	}
}

TEST(none, "an empty manifest knows no file, and empty directories lack none")
{
	struct place p;

	place_open(&p);
	manifest_state_release(&p.state);
	CHECK_OK(leftovers_check(p.segments, p.values, &p.state));
	CHECK_OK(leftovers_remove(p.segments, p.values, &p.state));
	there_check(&p, "seg", (const char *[]){ NULL });
	there_check(&p, "val", (const char *[]){ NULL });
	CHECK_OK(leftovers_remove(p.segments, p.values, &p.state));
	place_close(&p);
}

TEST(failures, "a removal that fails is told, and the next one goes on")
{
	for (uint64_t call = 1;; call++) {
		uint64_t failing;
		struct place p;
		bool is_over;
		int rc;

		place_open(&p);
		failing = simdisk_calls(p.disk) + call;
		simdisk_fail_at(p.disk, failing, SIMDISK_EIO);
		rc = leftovers_remove(p.segments, p.values, &p.state);
		is_over = simdisk_calls(p.disk) < failing;
		CHECK_EQ(rc, is_over ? 0 : AEDB_IO);
		simdisk_fail_at(p.disk, 0, SIMDISK_EIO);
		file_set_close(p.segments);
		file_set_close(p.values);
		p.segments = set_open(p.disk, FILE_SEGMENT);
		p.values = set_open(p.disk, FILE_VALUES);
		CHECK_OK(leftovers_remove(p.segments, p.values, &p.state));
		there_check(&p, "seg",
			    (const char *[]){ "12.seg", "2.seg", "7.seg", NULL });
		there_check(&p, "val",
			    (const char *[]){ "11.val", "3.val", "5.val", NULL });
		place_close(&p);
		if (is_over)
			break;
	}
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
