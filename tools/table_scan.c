/* aedb table scan: the rows that meet a condition, in an order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "output.h"
#include "progress.h"
#include "table_action.h"
#include "text.h"
#include "where_json.h"

struct scan {
	struct table_work *work;
	struct where_json names;
	struct aedb_query query;
	struct aedb_order order[AEDB_ORDER_MAX];
	uint32_t select[AEDB_COLUMNS_MAX];
	json_t *where;		/* that the condition's values lie in */
	char *cursor;		/* decoded, in place */
};

/* Gives the next piece of a list with commas, cut off in place; NULL: the end. */
static char *next_piece(char **list)
{
	return *list ? strsep(list, ",") : NULL;
}

/* "COLUMN", "COLUMN:asc" or "COLUMN:desc". */
static int parse_order_piece(struct scan *scan, char *piece)
{
	struct aedb_order *order = &scan->order[scan->query.n_order];
	char *direction = strchr(piece, ':');

	if (scan->query.n_order == AEDB_ORDER_MAX)
		return failure_usage("--order: at most %d columns are allowed",
				     AEDB_ORDER_MAX);
	if (direction)
		*direction++ = '\0';
	if (direction && strcmp(direction, "asc") && strcmp(direction, "desc"))
		return failure_usage("--order: \"%.100s\" is neither asc nor desc",
				     direction);
	order->is_descending = direction && direction[0] == 'd';
	scan->query.n_order++;
	return where_json_column(&scan->names, piece, &order->column);
}

/* A column is given once, so there are not more than a table has. */
static int parse_select_piece(struct scan *scan, char *piece)
{
	size_t n = scan->query.n_select;
	uint32_t column;
	int rc = where_json_column(&scan->names, piece, &column);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (scan->select[i] == column)
			return failure_usage("--select: column \"%s\" is given "
					     "twice", piece);
	scan->select[scan->query.n_select++] = column;
	return 0;
}

static int parse_list(struct scan *scan, const char *option, const char *text,
		      int (*parse)(struct scan *scan, char *piece))
{
	char *copy, *piece;
	int rc = 0;

	if (!text)
		return 0;
	copy = keep_take(&scan->work->keep, strlen(text) + 1, 1);
	if (!copy)
		return AEDB_NO_MEMORY;
	strcpy(copy, text);
	scan->names.what = option;
	while (rc == 0 && (piece = next_piece(&copy)))
		rc = parse(scan, piece);
	return rc;
}

static int parse_where(struct scan *scan)
{
	const char *text = scan->work->options->where;
	int rc;

	if (!text)
		return 0;
	scan->names.what = "--where";
	rc = table_parse_json("--where", text, strlen(text), &scan->where);
	return rc < 0 ? rc : where_json_read(&scan->names, scan->where,
					     &scan->query.where);
}

static int parse_cursor(struct scan *scan)
{
	const char *text = scan->work->options->cursor;
	size_t n;

	if (!text || !*text)
		return 0;
	scan->cursor = keep_take(&scan->work->keep, strlen(text) + 1, 1);
	if (!scan->cursor)
		return AEDB_NO_MEMORY;
	strcpy(scan->cursor, text);
	if (!text_parse_hex(scan->cursor, &n))
		return failure_usage("--cursor: no cursor that a scan printed");
	scan->query.cursor = (struct aedb_bytes){ scan->cursor, n };
	return 0;
}

static int parse(struct scan *scan)
{
	const struct table_options *options = scan->work->options;
	int rc = parse_where(scan);

	if (rc == 0)
		rc = parse_list(scan, "--order", options->order,
				parse_order_piece);
	if (rc == 0)
		rc = parse_list(scan, "--select", options->select,
				parse_select_piece);
	if (rc == 0)
		rc = parse_cursor(scan);
	scan->query.order = scan->order;
	scan->query.select = scan->query.n_select ? scan->select : NULL;
	scan->query.limit = options->limit;
	return rc;
}

/* {"cursor": HEX}, or null when there is no further row. */
static int print_cursor(const struct scan *scan, struct aedb_rows *rows)
{
	struct aedb_bytes cursor;
	int rc = aedb_rows_cursor(rows, &cursor);

	if (rc < 0 && rc != AEDB_NOT_FOUND)
		return table_failure(scan->work, rc);
	if (rc == AEDB_NOT_FOUND) {
		puts("{\"cursor\":null}");
	} else {
		fputs("{\"cursor\":\"", stdout);
		text_write_hex(stdout, cursor.at, cursor.n);
		puts("\"}");
	}
	return output_check();
}

static int print_rows(const struct scan *scan, struct aedb_rows *rows)
{
	struct progress progress;
	struct aedb_row row;
	uint64_t count = 0;
	int rc;

	progress_init(&progress, PROGRESS_KEYS, 0);
	for (;;) {
		rc = aedb_rows_next(rows, &row);
		if (rc == AEDB_NOT_FOUND) {
			rc = 0;
			break;
		}
		if (rc < 0)
			table_failure(scan->work, rc);
		else
			rc = table_print_row(scan->work->schema, &row,
					     scan->query.select,
					     scan->query.n_select);
		if (rc < 0)
			break;
		progress_show(&progress, ++count);
	}
	progress_release(&progress);
	return rc == 0 && scan->work->options->cursor ?
		       print_cursor(scan, rows) : rc;
}

static int print_plan(struct aedb_rows *rows)
{
	if (output_is_json())
		return output_json_line(json_pack("{s:s}", "plan",
						  aedb_rows_plan(rows)));
	puts(aedb_rows_plan(rows));
	return output_check();
}

static int run(struct scan *scan)
{
	struct table_work *work = scan->work;
	struct aedb_rows *rows;
	int rc = parse(scan);

	if (rc < 0)
		return rc;
	rc = aedb_query_open(work->table, work->snapshot, &scan->query, &rows);
	if (rc == AEDB_TOO_LARGE)
		return failure_set(STATUS_USAGE, "--where", "%s",
				   aedb_error_message());
	if (rc < 0)
		return table_failure(work, rc);
	rc = work->options->explains ? print_plan(rows) : print_rows(scan, rows);
	aedb_rows_close(rows);
	return rc;
}

int table_scan(struct table_work *work)
{
	struct scan scan = { .work = work };
	int rc = table_open(work, TARGET_READ);

	if (rc < 0)
		return rc;
	scan.names.schema = work->schema;
	scan.names.keep = &work->keep;
	rc = run(&scan);
	json_decref(scan.where);
	return table_close(work, rc);
}
