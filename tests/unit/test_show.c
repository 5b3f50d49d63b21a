/*
 * aedb_show: every kind of file of a database on the real disk, and what is
 * none.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "check.h"
#include "aedb.h"

static char directory[4096];

static const char *path_of(const char *name)
{
	static char path[4400];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* What is shown of a file; owned. */
static char *shown(const char *name, int code)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	int rc;

	CHECK(out);
	rc = aedb_show(path_of(name), out);
	fclose(out);
	CHECK_THAT(rc == code, "%s: %d, %s", name, rc, aedb_error_message());
	return text;
}

static void shown_has(const char *name, const char *const *words)
{
	char *text = shown(name, 0);

	for (; *words; words++)
		CHECK_THAT(strstr(text, *words), "%s: no \"%s\" in:\n%s", name,
			   *words, text);
	free(text);
}

static void directory_make(void)
{
	const char *root = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/show-XXXXXX",
		 root ? root : "/tmp");
	CHECK(mkdtemp(directory));
}

static void directory_remove(void)
{
	char command[5000];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	CHECK_EQ(system(command), 0);
}

static void database_make(void)
{
	static uint8_t large[100000];
	struct aedb_options o;
	struct aedb_scope *scope;
	struct aedb *db;

	directory_make();
	aedb_options_init(&o);
	o.mode = AEDB_OPEN_CREATE;
	CHECK_OK(aedb_open(directory, &o, &db));
	CHECK_OK(aedb_create(db, (struct aedb_place){ "proj", NULL }));
	CHECK_OK(aedb_create(db, (struct aedb_place){ "proj", "scope" }));
	CHECK_OK(aedb_scope_open(db, "proj", "scope", &scope));
	CHECK_OK(aedb_put(scope, "some/key", 8, "value", 5));
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)i;
	CHECK_OK(aedb_put(scope, "large", 5, large, sizeof(large)));
	CHECK_OK(aedb_delete(scope, "some/key", 8));
	aedb_scope_close(scope);
	CHECK_OK(aedb_close(db));
}

TEST(files, "header and every record of each kind of file are shown with their places")
{
	database_make();
	shown_has("CURRENT", (const char *[]){ "MANIFEST-1\n", NULL });
	shown_has("LOCK", (const char *[]){ "\n", NULL });
	shown_has("MANIFEST-1", (const char *[]){
		"manifest", "signed: no", "first log file: 1\n", NULL });
	shown_has("wal/1.wal", (const char *[]){
		"write-ahead log", "create proj/scope", "\"some/key\"",
		"value 5 bytes", "delete", "\"large\"", "val", NULL });
	shown_has("val/1.val", (const char *[]){
		"value", "chunk", "map", "root", "4096", NULL });
	directory_remove();
}

static void byte_flip(const char *name, long offset)
{
	FILE *file = fopen(path_of(name), "r+");
	int byte;

	CHECK(file);
	fseek(file, offset, SEEK_SET);
	byte = fgetc(file);
	fseek(file, offset, SEEK_SET);
	fputc(byte ^ 0x40, file);
	fclose(file);
}

TEST(segments, "a segment is shown page by page with its entries, and what the manifest says of it")
{
	struct aedb_options o;
	struct aedb *db;

	database_make();
	aedb_options_init(&o);
	o.history_s = 3600;
	o.history_bytes = 1 << 20;
	CHECK_OK(aedb_open(directory, &o, &db));
	CHECK_OK(aedb_checkpoint(db, NULL));
	CHECK_OK(aedb_close(db));
	shown_has("seg/1.seg", (const char *[]){
		"segment", "4096: block", "some/key", " deleted", "large",
		" reference ", "properties", "entries ", "filter of ",
		"history: 5 commits from ", NULL });
	shown_has("MANIFEST-2", (const char *[]){ "history from: ",
		"segment 1: level 0", "bytes in value file 1", NULL });
	shown_has("RESERVE", (const char *[]){ "kept back: ", NULL });
	byte_flip("seg/1.seg", 4096 + 20);
	shown_has("seg/1.seg", (const char *[]){ "4096: damaged: ", "checksum",
		"properties", NULL });
	directory_remove();
}

TEST(damaged, "damage behind the header is shown and is no error, a damaged header is")
{
	static const struct {
		const char *name;
		long offset;
		const char *shown;
	} files[] = {
		{ "wal/1.wal", 4096 + 20, "checksum" },
		{ "val/1.val", 4096 + 20, "checksum" },
		{ "MANIFEST-1", 12288 + 20, "byte 12288: edit 1 is damaged" },
		{ "MANIFEST-1", 8192, "no note of what is durable is whole" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		database_make();
		byte_flip(files[i].name, files[i].offset);
		shown_has(files[i].name, (const char *[]){ files[i].shown, NULL });
		byte_flip(files[i].name, 30);
		free(shown(files[i].name, AEDB_CORRUPT));
		directory_remove();
	}
}

TEST(foreign, "what is no file of a database is refused")
{
	FILE *file;

	directory_make();
	free(shown("absent", AEDB_NOT_FOUND));
	free(shown("no/directory", AEDB_NOT_FOUND));
	file = fopen(path_of("letter"), "w");
	CHECK(file);
	fputs("dear reader\n", file);
	fclose(file);
	free(shown("letter", AEDB_CORRUPT));
	file = fopen(path_of("empty"), "w");
	CHECK(file);
	fclose(file);
	free(shown("empty", AEDB_CORRUPT));
	CHECK_EQ(mkdir(path_of("folder"), 0700), 0);
	free(shown("folder", AEDB_IO));
	directory_remove();
}

int main(int argc, char **argv)
{
	return check_main(argc, argv);
}
