/* Lines of listings. */
#include "listing.h"

#include <string.h>

#include "text.h"

static bool is_key(const struct listing_item *item)
{
	return !strcmp(item->type, "key");
}

static bool is_container(const struct listing_item *item)
{
	return !strcmp(item->type, "directory") ||
	       !strcmp(item->type, "scope") ||
	       !strcmp(item->type, "project") ||
	       !strcmp(item->type, "snapshot");
}

static int64_t stat_mtime_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
}

/* Size, version and time; "-" for what there is not. */
static void print_columns(const struct listing_item *item)
{
	char size[24] = "-", version[24] = "-", time[TEXT_TIME_BYTES] = "-";

	if (item->entry) {
		text_format_time(item->entry->mtime_ns, time);
		snprintf(version, sizeof(version), "%llu",
			 (unsigned long long)item->entry->version);
	} else if (item->st) {
		text_format_time(stat_mtime_ns(item->st), time);
	}
	if (is_key(item) && (item->entry || item->st))
		snprintf(size, sizeof(size), "%llu",
			 item->entry ?
				 (unsigned long long)item->entry->value_bytes :
				 (unsigned long long)item->st->st_size);
	printf("%12s %10s %-30s ", size, version, time);
}

void listing_print_text(const struct listing *listing,
			const struct listing_item *item)
{
	if (listing->is_long)
		print_columns(item);
	output_key(listing->keys, item->name, item->name_bytes);
	if (is_container(item))
		fputs(listing->keys == OUTPUT_HEX ? "2f" : "/", stdout);
}

static int add_stat(json_t *line, const struct stat *st, bool has_size)
{
	int rc = 0;

	if (has_size)
		rc = output_json_result(json_object_set_new(
			line, "value_bytes",
			json_integer((json_int_t)st->st_size)));
	if (rc < 0)
		return rc;
	return output_json_add_time(line, "mtime", stat_mtime_ns(st));
}

static int add_entry(json_t *line, const struct listing_item *item)
{
	int rc = output_json_add_entry(line, item->entry);

	if (rc == 0 && !is_key(item))
		json_object_del(line, "value_bytes");
	return rc;
}

json_t *listing_object(const struct listing_item *item)
{
	json_t *line = json_object();
	int rc = output_json_add_bytes(line, item->member, item->name,
				       item->name_bytes);

	if (rc == 0)
		rc = output_json_result(json_object_set_new(
			line, "type", json_string(item->type)));
	if (rc == 0 && item->entry)
		rc = add_entry(line, item);
	if (rc == 0 && item->st)
		rc = add_stat(line, item->st, is_key(item));
	if (rc == 0)
		return line;
	json_decref(line);
	return NULL;
}

int listing_print(const struct listing *listing,
		  const struct listing_item *item)
{
	if (output_is_json())
		return output_json_line(listing_object(item));
	listing_print_text(listing, item);
	output_end(listing->keys);
	return output_check();
}
