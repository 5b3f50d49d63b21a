/*
 * The manifest of a backup: what is written is read again, and nothing else is.
 */
#include <openssl/evp.h>

#include "backup_manifest.h"
#include "check.h"
#include "err.h"
#include "plain_text.h"

static const struct aedb_backup_key key = { "0123456789abcdef", 16 };
static const struct aedb_backup_key other_key = { "0123456789abcdeF", 16 };

static void id_make(char *ret)
{
	uint8_t bytes[AEDB_BACKUP_ID_BYTES / 2];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)check_random();
	hex_write(bytes, sizeof(bytes), ret);
}

static void bytes_make(uint8_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint8_t)check_random();
}

static void file_add(struct backup_manifest *m, const char *path, bool is_here)
{
	struct backup_file file = { .bytes = check_random() % 100000000 };

	CHECK_OK(backup_file_set_path(&file, path));
	bytes_make(file.sha256, sizeof(file.sha256));
	if (file.number)
		bytes_make(file.incarnation, sizeof(file.incarnation));
	file.is_open = file.kind == BACKUP_FILE_VALUES && check_random() % 4 == 0;
	if (!is_here && file.number && check_random() % 2)
		id_make(file.stored);
	CHECK_OK(backup_manifest_add_file(m, &file));
}

static void numbered_add(struct backup_manifest *m, const char *format, unsigned i,
			 bool is_here)
{
	char path[BACKUP_PATH_BYTES];

	snprintf(path, sizeof(path), format, i);
	file_add(m, path, is_here);
}

static void log_make(struct backup_manifest *m)
{
	static const char *const names[] = { "weekly", "a", "before-2.0", "a@b" };

	m->log_first = 1 + check_random() % 1000;
	m->log_last = m->log_first + check_random() % 4;
	for (uint64_t i = m->log_last + 1; i-- > m->log_first;)
		numbered_add(m, "wal/%u.wal", (unsigned)i, true);
	for (size_t i = 0; i < 4; i++) {
		struct manifest_snapshot snapshot = {
			.seq = check_random() % (m->head_seq + 1),
			.time_us = check_random() % TIME_TEXT_US_MAX,
		};

		strcpy(snapshot.name, names[i]);
		CHECK_OK(backup_manifest_add_snapshot(m, &snapshot));
	}
}

/* A full backup, or an incremental one of either form. */
static void manifest_make(struct backup_manifest *m, bool is_full,
			  enum aedb_backup_form form)
{
	*m = (struct backup_manifest){ .form = form };
	id_make(m->id);
	m->kind = is_full ? AEDB_BACKUP_FULL : AEDB_BACKUP_INCREMENTAL;
	if (!is_full)
		id_make(m->parent);
	strcpy(m->name, "2026-11-22");
	strcpy(m->engine, AEDB_VERSION);
	m->database_format = FILE_FORMAT_VERSION;
	bytes_make(m->db_uuid, sizeof(m->db_uuid));
	m->began_us = check_random() % (TIME_TEXT_US_MAX - 1);
	m->finished_us = m->began_us + 1;
	m->head_seq = check_random() % 1000000;
	m->from_seq = is_full ? 0 : check_random() % (m->head_seq + 1);
	m->head_time_us = m->began_us;
	m->log_end.lsn = check_random() % BACKUP_NUMBER_MAX;
	bytes_make(m->log_end.digest, sizeof(m->log_end.digest));
	for (unsigned i = 5; i-- > 0;)
		numbered_add(m, "val/%u.val", 7 * i + 1, is_full);
	if (form == AEDB_BACKUP_LOG) {
		log_make(m);
		return;
	}
	file_add(m, "MANIFEST-1", true);
	for (unsigned i = 0; i < 9; i++)
		numbered_add(m, "seg/%u.seg", 3 * i + 2, is_full);
	file_add(m, "CURRENT", true);
}

static char *text_make(const struct backup_manifest *m,
		       const struct aedb_backup_key *with, size_t *ret_n)
{
	char *text;

	CHECK_OK(backup_manifest_encode(m, with, &text, ret_n));
	CHECK_EQ(strlen(text), *ret_n);
	return text;
}

static int text_decode(const char *text, const struct aedb_backup_key *with)
{
	struct backup_manifest m;
	int rc = backup_manifest_decode(text, strlen(text), "b", with, &m);

	if (rc == 0)
		backup_manifest_release(&m);
	return rc;
}

static void files_same(const struct backup_manifest *a,
		       const struct backup_manifest *b)
{
	CHECK_EQ(a->n_files, b->n_files);
	for (size_t i = 0; i < a->n_files; i++) {
		const struct backup_file *f = &a->files[i], *g = &b->files[i];

		CHECK_STR(f->path, g->path);
		CHECK_EQ(f->kind, g->kind);
		CHECK_EQ(f->number, g->number);
		CHECK_EQ(f->bytes, g->bytes);
		CHECK_EQ(f->is_open, g->is_open);
		CHECK_STR(f->stored, g->stored);
		CHECK_MEM(f->sha256, g->sha256, sizeof(f->sha256));
		CHECK_MEM(f->incarnation, g->incarnation, sizeof(f->incarnation));
		CHECK(backup_manifest_find(a, f->path) == f);
	}
}

static void manifests_same(const struct backup_manifest *a,
			   const struct backup_manifest *b)
{
	CHECK_STR(a->id, b->id);
	CHECK_STR(a->parent, b->parent);
	CHECK_STR(a->name, b->name);
	CHECK_STR(a->engine, b->engine);
	CHECK_EQ(a->kind, b->kind);
	CHECK_EQ(a->form, b->form);
	CHECK_EQ(a->database_format, b->database_format);
	CHECK_EQ(a->began_us, b->began_us);
	CHECK_EQ(a->finished_us, b->finished_us);
	CHECK_EQ(a->head_time_us, b->head_time_us);
	CHECK_EQ(a->from_seq, b->from_seq);
	CHECK_EQ(a->head_seq, b->head_seq);
	CHECK_EQ(a->log_first, b->log_first);
	CHECK_EQ(a->log_last, b->log_last);
	CHECK_EQ(a->log_end.lsn, b->log_end.lsn);
	CHECK_MEM(a->log_end.digest, b->log_end.digest, WAL_DIGEST_BYTES);
	CHECK_MEM(a->db_uuid, b->db_uuid, FILE_UUID_BYTES);
	CHECK_EQ(a->n_snapshots, b->n_snapshots);
	for (size_t i = 0; i < a->n_snapshots; i++) {
		CHECK_STR(a->snapshots[i].name, b->snapshots[i].name);
		CHECK_EQ(a->snapshots[i].seq, b->snapshots[i].seq);
		CHECK_EQ(a->snapshots[i].time_us, b->snapshots[i].time_us);
		CHECK(i == 0 || strcmp(a->snapshots[i - 1].name,
				       a->snapshots[i].name) < 0);
	}
	files_same(a, b);
}

static void round_trip(bool is_full, enum aedb_backup_form form,
		       const struct aedb_backup_key *with)
{
	struct backup_manifest m, again;
	size_t n;
	char *text;

	manifest_make(&m, is_full, form);
	text = text_make(&m, with, &n);
	CHECK_OK(backup_manifest_decode(text, n, "b", with, &again));
	manifests_same(&m, &again);
	CHECK_EQ(again.is_signed, with != NULL);
	backup_manifest_release(&again);
	backup_manifest_release(&m);
	free(text);
}

TEST(again, "what is written of a manifest is read again, of every kind and form")
{
	for (unsigned i = 0; i < check_times(50); i++) {
		const struct aedb_backup_key *with = i % 2 ? &key : NULL;

		round_trip(true, AEDB_BACKUP_FILES, with);
		round_trip(false, AEDB_BACKUP_FILES, with);
		round_trip(false, AEDB_BACKUP_LOG, with);
	}
}

TEST(signatures, "a signature is required of the key that is given, and only then looked at")
{
	struct backup_manifest m;
	size_t n;
	char *text;

	manifest_make(&m, true, AEDB_BACKUP_FILES);
	text = text_make(&m, &key, &n);
	CHECK_OK(text_decode(text, &key));
	CHECK_OK(text_decode(text, NULL));
	CHECK_EQ(text_decode(text, &other_key), AEDB_ACCESS);
	CHECK_STR(err_message(), "b/backup.json: it is signed with another key");
	free(text);
	text = text_make(&m, NULL, &n);
	CHECK_OK(text_decode(text, NULL));
	CHECK_EQ(text_decode(text, &key), AEDB_ACCESS);
	CHECK_STR(err_message(), "b/backup.json: it is not signed");
	free(text);
	backup_manifest_release(&m);
}

/* One random change. */
static void text_change(char *text, size_t *n)
{
	size_t at = check_random() % *n, end = check_random() % *n;

	switch (check_random() % 4) {
	case 0:
		text[at] = (char)(text[at] ^ (1 << check_random() % 8));
		break;
	case 1:
		memmove(text + at, text + at + 1, *n - at - 1);
		--*n;
		break;
	case 2:
		memmove(text + at + 1, text + at, *n - at);
		text[at] = "0123456789\"{}[],:a /."[check_random() % 21];
		++*n;
		break;
	case 3:
		if (at > end) {
			size_t k = at - end < *n - at ? at - end : *n - at;

			memmove(text + end, text + at, k);
		}
		break;
	}
}

TEST(changed, "a text that was changed anywhere is refused, with and without a key")
{
	struct backup_manifest m, again;
	char *text, *changed;
	size_t n;

	manifest_make(&m, false, AEDB_BACKUP_LOG);
	text = text_make(&m, &key, &n);
	changed = malloc(n + 2);
	for (unsigned i = 0; i < check_times(3000); i++) {
		size_t k = n;
		int rc;

		memcpy(changed, text, n);
		text_change(changed, &k);
		if (k == n && !memcmp(changed, text, n))
			continue;
		/* Without the key a changed signature is as good as another. */
		rc = backup_manifest_decode(changed, k, "b", &key, &again);
		CHECK(rc == AEDB_CORRUPT || rc == AEDB_ACCESS ||
		      rc == AEDB_NEWER_FORMAT);
	}
	for (size_t k = 0; k < n; k++)
		CHECK_EQ(backup_manifest_decode(text, k, "b", NULL, &again),
			 AEDB_CORRUPT);
	free(changed);
	free(text);
	backup_manifest_release(&m);
}

/* Puts the digest right that a changed text should end with. Owned. */
static char *text_forge(const char *text, size_t n)
{
	char digest[65], *forged = malloc(n + 200);
	uint8_t bytes[32];
	size_t end = n;

	memcpy(forged, text, n);
	forged[n] = '\0';
	while (end && strncmp(forged + end, ",\n\"sha256\":", 11))
		end--;
	if (end == 0)
		return forged;
	CHECK_EQ(EVP_Digest(forged, end, bytes, NULL, EVP_sha256(), NULL), 1);
	hex_write(bytes, sizeof(bytes), digest);
	sprintf(forged + end, ",\n\"sha256\":\"%s\",\n\"hmac\":null}\n", digest);
	return forged;
}

TEST(forged, "a changed text with the right digest is refused or read exactly as it stands")
{
	unsigned taken = 0, refused = 0;
	struct backup_manifest m, again;
	size_t n;
	char *text, *changed;

	manifest_make(&m, false, AEDB_BACKUP_LOG);
	text = text_make(&m, NULL, &n);
	changed = malloc(n + 2);
	for (unsigned i = 0; i < check_times(3000); i++) {
		size_t k = n, same_n;
		char *forged, *same;

		memcpy(changed, text, n);
		text_change(changed, &k);
		forged = text_forge(changed, k);
		if (backup_manifest_decode(forged, strlen(forged), "b", NULL,
					   &again) == 0) {
			same = text_make(&again, NULL, &same_n);
			CHECK_STR(same, forged);
			free(same);
			backup_manifest_release(&again);
			taken++;
		} else {
			refused++;
		}
		free(forged);
	}
	CHECK(taken && refused);
	free(changed);
	free(text);
	backup_manifest_release(&m);
}

/* The text with every `from` replaced, and the right digest. Owned. */
static char *text_replace(const char *text, const char *from, const char *to)
{
	size_t room = 2 * strlen(text) + 10000, n = 0;
	char *changed = malloc(room), *forged;
	const char *at;

	CHECK(strstr(text, from));
	while ((at = strstr(text, from))) {
		n += (size_t)snprintf(changed + n, room - n, "%.*s%s",
				      (int)(at - text), text, to);
		text = at + strlen(from);
	}
	n += (size_t)snprintf(changed + n, room - n, "%s", text);
	forged = text_forge(changed, n);
	free(changed);
	return forged;
}

static void refuse(const char *text, const char *from, const char *to, int want)
{
	char *changed = text_replace(text, from, to);
	int rc = text_decode(changed, NULL);

	CHECK_THAT(rc == want, "%s -> %s: got %d, want %d", from, to, rc, want);
	free(changed);
}

static void fixed_make(struct backup_manifest *m, bool is_full,
		       enum aedb_backup_form form)
{
	manifest_make(m, is_full, form);
	strcpy(m->id, "11111111111111111111111111111111");
	if (!is_full)
		strcpy(m->parent, "22222222222222222222222222222222");
	m->head_seq = 1000;
	m->from_seq = is_full ? 0 : 500;
	m->began_us = 1000000;
	m->head_time_us = 2000000;
	m->log_end.lsn = 4711;
	for (size_t i = 0; i < m->n_snapshots; i++)
		m->snapshots[i].seq = 7;
}

TEST(full_limits, "what cannot be is refused in a full backup's manifest")
{
	struct backup_manifest m;
	size_t n;
	char *text;

	fixed_make(&m, true, AEDB_BACKUP_FILES);
	text = text_make(&m, NULL, &n);
	refuse(text, "\"format\":1,", "\"format\":2,", AEDB_NEWER_FORMAT);
	refuse(text, "\"format\":1,", "\"format\":0,", AEDB_CORRUPT);
	refuse(text, "\"format\":1,", "\"format\":1,\n\"more\":1,", AEDB_CORRUPT);
	refuse(text, "\"format\":1,", "\"format\":1, ", AEDB_CORRUPT);
	refuse(text, "\"format\":1,", "\"format\":1,\n\"format\":1,", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "seg/05.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "seg/../5.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "../seg/5.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "/seg/5.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "seg/5.val", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "seg/0.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "seg/4294967296.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "seg/8.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "wal/5.wal", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "seg/99.seg", AEDB_CORRUPT);
	refuse(text, "seg/5.seg", "LOCK", AEDB_CORRUPT);
	refuse(text, "MANIFEST-1", "MANIFEST-2", AEDB_CORRUPT);
	refuse(text, "\"parent\":null", "\"parent\":\"33333333333333333333333333333333\"",
	       AEDB_CORRUPT);
	refuse(text, "\"kind\":\"full\"", "\"kind\":\"incremental\"", AEDB_CORRUPT);
	refuse(text, "\"kind\":\"full\"", "\"kind\":\"half\"", AEDB_CORRUPT);
	refuse(text, "\"form\":\"files\"", "\"form\":\"log\"", AEDB_CORRUPT);
	refuse(text, "\"from_seq\":0", "\"from_seq\":1", AEDB_CORRUPT);
	refuse(text, "\"head_seq\":1000", "\"head_seq\":-1", AEDB_CORRUPT);
	refuse(text, "\"head_seq\":1000", "\"head_seq\":1e3", AEDB_CORRUPT);
	refuse(text, "\"head_seq\":1000", "\"head_seq\":4503599627370496",
	       AEDB_CORRUPT);
	refuse(text, "\"head_seq\":1000", "\"head_seq\":99999999999999999999",
	       AEDB_CORRUPT);
	refuse(text, "1970-01-01T00:00:01.000000Z", "1970-01-01T00:00:01Z",
	       AEDB_CORRUPT);
	refuse(text, "1970-01-01T00:00:01.000000Z", "1970-01-01T00:00:61.000000Z",
	       AEDB_CORRUPT);
	refuse(text, "1970-01-01T00:00:01.000000Z", "1969-01-01T00:00:01.000000Z",
	       AEDB_CORRUPT);
	refuse(text, "\"name\":\"2026-11-22\"", "\"name\":\"../x\"", AEDB_CORRUPT);
	refuse(text, "\"name\":\"2026-11-22\"", "\"name\":\".x\"", AEDB_CORRUPT);
	refuse(text, "\"engine\":\"", "\"engine\":\"\\u001b", AEDB_CORRUPT);
	refuse(text, "\"stored\":\"here\"",
	       "\"stored\":\"33333333333333333333333333333333\"", AEDB_CORRUPT);
	refuse(text, "\"id\":\"1", "\"id\":\"A", AEDB_CORRUPT);
	refuse(text, "\"id\":\"1", "\"id\":\"", AEDB_CORRUPT);
	free(text);
	backup_manifest_release(&m);
}

TEST(log_limits, "what cannot be is refused in the manifest of an incremental backup")
{
	struct backup_manifest m;
	char first[64];
	size_t n;
	char *text;

	fixed_make(&m, false, AEDB_BACKUP_LOG);
	m.files[0].is_open = true;
	text = text_make(&m, NULL, &n);
	snprintf(first, sizeof(first), "wal/%u.wal", (unsigned)m.log_first);
	refuse(text, first, "wal/5000.wal", AEDB_CORRUPT);
	refuse(text, first, "MANIFEST-1", AEDB_CORRUPT);
	snprintf(first, sizeof(first), "\"first\":%u", (unsigned)m.log_first);
	refuse(text, first, "\"first\":0", AEDB_CORRUPT);
	refuse(text, first, "\"first\":4000", AEDB_CORRUPT);
	refuse(text, "\"parent\":\"22222222222222222222222222222222\"",
	       "\"parent\":null", AEDB_CORRUPT);
	refuse(text, "\"parent\":\"22222222222222222222222222222222\"",
	       "\"parent\":\"11111111111111111111111111111111\"", AEDB_CORRUPT);
	refuse(text, "\"from_seq\":500", "\"from_seq\":1001", AEDB_CORRUPT);
	refuse(text, "\"name\":\"weekly\"", "\"name\":\"a\"", AEDB_CORRUPT);
	refuse(text, "\"name\":\"weekly\"", "\"name\":\"a/b\"", AEDB_CORRUPT);
	refuse(text, "\"name\":\"weekly\",\"seq\":7", "\"name\":\"weekly\",\"seq\":1001",
	       AEDB_CORRUPT);
	refuse(text, "\"end_lsn\":4711", "\"end_lsn\":9007199254740993", AEDB_CORRUPT);
	refuse(text, "\"open\":true", "\"open\":false", AEDB_CORRUPT);
	refuse(text, "\"files\":[", "\"files\":[7,", AEDB_CORRUPT);
	refuse(text, "\"log\":{", "\"log\":{\"x\":1,", AEDB_CORRUPT);
	free(text);
	backup_manifest_release(&m);
}

/* The text with two neighbouring lines, of which the first begins so, swapped. */
static char *lines_swap(const char *text, const char *first)
{
	const char *one = strstr(text, first), *two, *end;
	char *swapped, *forged;

	CHECK(one);
	two = strchr(one, '\n') + 1;
	end = strchr(two, '\n') + 1;
	CHECK(two[-2] == ',' && end[-2] == ',');
	CHECK(asprintf(&swapped, "%.*s%.*s%.*s%s", (int)(one - text), text,
		       (int)(end - two), two, (int)(two - one), one, end) > 0);
	forged = text_forge(swapped, strlen(swapped));
	free(swapped);
	return forged;
}

static void lines_refuse(const char *text, const char *first)
{
	char *swapped = lines_swap(text, first);

	CHECK_EQ(text_decode(swapped, NULL), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "named twice, or not in order"));
	free(swapped);
}

TEST(unsorted, "files and snapshots that are not in order are refused where the first is met")
{
	struct backup_manifest m;
	char *text;
	size_t n;

	fixed_make(&m, true, AEDB_BACKUP_FILES);
	text = text_make(&m, NULL, &n);
	lines_refuse(text, "{\"path\":\"seg/");
	free(text);
	backup_manifest_release(&m);
	fixed_make(&m, false, AEDB_BACKUP_LOG);
	text = text_make(&m, NULL, &n);
	lines_refuse(text, "{\"name\":\"a\"");
	free(text);
	backup_manifest_release(&m);
}

TEST(not_written, "a manifest that could not be read again is not written")
{
	struct backup_manifest m;
	size_t n;
	char *text;

	fixed_make(&m, true, AEDB_BACKUP_FILES);
	m.head_seq = SEQ_MAX + 1;
	CHECK_EQ(backup_manifest_encode(&m, NULL, &text, &n), AEDB_CORRUPT);
	m.head_seq = 7;
	m.files[0].bytes = BACKUP_NUMBER_MAX;
	CHECK_EQ(backup_manifest_encode(&m, NULL, &text, &n), AEDB_CORRUPT);
	CHECK(strstr(err_message(), "too large"));
	backup_manifest_release(&m);
}

TEST(times, "a time has one text, whose every part is looked at")
{
	char text[TIME_TEXT_BYTES];
	uint64_t us;

	time_write(1763826759123456, text);
	CHECK_STR(text, "2025-11-22T15:52:39.123456Z");
	CHECK(time_read(text, &us));
	CHECK_EQ(us, 1763826759123456);
	time_write(TIME_TEXT_US_MAX, text);
	CHECK_STR(text, "9999-12-31T23:59:59.999999Z");
	CHECK(!time_read("2025-02-29T15:52:39.123456Z", &us));
	CHECK(!time_read("2025-11-22T15:52:39.123456z", &us));
	CHECK(!time_read("2025-11-22T15:52:39.123456Z ", &us));
	CHECK(!time_read("2025-11-22T15:52:39.12345Z", &us));
	CHECK(!time_read("2025-11-22 15:52:39.123456Z", &us));
	CHECK(!time_read("2025-11-22T15:52:39,123456Z", &us));
	CHECK(!time_read("", &us));
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
