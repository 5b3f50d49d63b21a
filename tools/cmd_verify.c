/*
 * aedb verify: checks the files of a database. What the library finds it says as
 * lines, which are printed as they come.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "target.h"
#include "text.h"
#include "watch.h"

#define MEMORY_BYTES (64u << 20)
#define HARMLESS "harmless: "

/* Where findings go: lines of text, which may come in pieces. */
struct printer {
	struct watch *watch;
	char *line;		/* owned */
	size_t n, room;
	bool has_failed;
};

/* FILE: POSITION: WHAT */
static json_t *finding_object(const char *line)
{
	const char *position = strstr(line, ": ");
	const char *what = position ? strstr(position + 2, ": ") : NULL;
	bool is_harmless;
	char *file;
	json_t *object;

	if (!what)
		return json_pack("{s:o}", "what", json_of_text(line));
	what += 2;
	is_harmless = strncmp(what, HARMLESS, strlen(HARMLESS)) == 0;
	if (is_harmless)
		what += strlen(HARMLESS);
	file = strndup(line, (size_t)(position - line));
	object = json_pack("{s:o, s:I, s:b, s:o}", "file",
			   json_of_text(file ? file : ""), "position",
			   (json_int_t)strtoull(position + 2, NULL, 10),
			   "harmless", is_harmless, "what",
			   json_of_text(what));
	free(file);
	return object;
}

static void line_print(struct printer *printer)
{
	printer->line[printer->n] = '\0';
	watch_hold(printer->watch);
	if (output_is_json())
		printer->has_failed |=
			output_json_line(finding_object(printer->line)) < 0;
	else
		puts(printer->line);
	fflush(stdout);
	watch_go_on(printer->watch);
	printer->n = 0;
}

static bool byte_add(struct printer *printer, char byte)
{
	if (printer->n + 1 >= printer->room) {
		size_t room = printer->room ? printer->room * 2 : 256;
		char *grown = realloc(printer->line, room);

		if (!grown)
			return false;
		printer->line = grown;
		printer->room = room;
	}
	if (byte == '\n')
		line_print(printer);
	else
		printer->line[printer->n++] = byte;
	return true;
}

static ssize_t printer_write(void *cookie, const char *bytes, size_t n)
{
	struct printer *printer = cookie;

	for (size_t i = 0; i < n; i++)
		if (!byte_add(printer, bytes[i])) {
			printer->has_failed = true;
			return -1;
		}
	return (ssize_t)n;
}

static FILE *printer_open(struct printer *printer)
{
	FILE *out = fopencookie(printer, "w", (cookie_io_functions_t){
						      .write = printer_write });

	if (out)
		setvbuf(out, NULL, _IOLBF, 0);
	return out;
}

static void progress_read(const void *of, uint64_t *ret_done,
			  uint64_t *ret_total)
{
	aedb_progress_get(of, ret_done, ret_total);
}

static int verify(const char *path, struct aedb_verify_report *ret)
{
	struct aedb_progress progress = { 0 };
	struct aedb_options options;
	struct watch watch;
	struct printer printer = { .watch = &watch };
	FILE *out = printer_open(&printer);
	int rc;

	if (!out)
		return failure_set(STATUS_FAILED, path, "not enough memory");
	aedb_options_init(&options);
	options.memory_bytes = MEMORY_BYTES;
	target_apply_key(&options);
	watch_start(&watch, progress_read, &progress);
	rc = aedb_verify(path, &options, out, &progress, ret);
	if (rc < 0)
		target_open_failure(path, TARGET_INSPECT, rc);
	fclose(out);
	watch_stop(&watch);
	free(printer.line);
	if (rc == 0 && printer.has_failed)
		return failure_set(STATUS_FAILED, "standard output",
				   "not all findings could be printed");
	return rc;
}

static int print_result(const struct aedb_verify_report *r)
{
	char size[TEXT_SIZE_BYTES];

	if (output_is_json())
		return output_json_line(json_pack(
			"{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files",
			(json_int_t)r->files, "bytes", (json_int_t)r->bytes,
			"entries", (json_int_t)r->entries, "values",
			(json_int_t)r->values, "commits", (json_int_t)r->commits,
			"findings", (json_int_t)r->findings, "harmless",
			(json_int_t)r->harmless));
	printf("%llu files, %s: %llu entries, %llu values, %llu commits in the "
	       "log\n", (unsigned long long)r->files,
	       text_format_size(r->bytes, size), (unsigned long long)r->entries,
	       (unsigned long long)r->values, (unsigned long long)r->commits);
	if (r->findings == 0)
		puts("no damage found");
	return 0;
}

int cmd_verify(int argc, char **argv)
{
	static const struct option options[] = { COMMAND_DATABASE_OPTIONS };
	struct aedb_verify_report report;
	int rc = command_one_argument(argc, argv, options);

	if (rc == 0)
		rc = target_check_directory(argv[optind]);
	if (rc == 0)
		rc = verify(argv[optind], &report);
	if (rc == 0)
		rc = print_result(&report);
	if (rc == 0 && report.findings)
		rc = failure_set(STATUS_DAMAGED, argv[optind],
				 "damaged: %llu finding%s",
				 (unsigned long long)report.findings,
				 report.findings == 1 ? "" : "s");
	return rc;
}
