/*
 * Reading by reference, checked and decoded: map blocks, roots, and values of
 * one page.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "page_load.h"
#include "values.h"

/* Says where a page is whose content is impossible; returns rc. */
static int at_reference(struct values *values, const struct page_ref *ref, int rc)
{
	char path[FILE_SET_PATH_BYTES];

	file_set_path(values_files(values), ref->file, path);
	return page_at(path, ref->offset, rc);
}

int values_load_map(struct values *values, const struct page_ref *ref,
		    struct value_slot *ret_slots, size_t *ret_n)
{
	void *map;
	size_t n;
	int rc = page_load(values_files(values), ref, PAGE_MAP, &map, &n);

	if (rc < 0)
		return rc;
	rc = value_map_decode(map, n, ret_slots, ret_n);
	cache_free(map);
	return rc < 0 ? at_reference(values, ref, rc) : 0;
}

int values_load_root(struct values *values, const struct value_ref *ref,
		     struct value_root *ret)
{
	struct value_root root;
	void *page;
	size_t n;
	int rc = page_load(values_files(values), &ref->root, PAGE_ROOT, &page, &n);

	if (rc < 0)
		return rc;
	rc = value_root_decode(page, n, &root);
	cache_free(page);
	if (rc < 0)
		return at_reference(values, &ref->root, rc);
	if (root.bytes != ref->bytes || root.chunks != ref->chunks) {
		value_root_release(&root);
		err_set(AEDB_CORRUPT, "root of another value");
		return at_reference(values, &ref->root, AEDB_CORRUPT);
	}
	*ret = root;
	return 0;
}

int values_load_page(struct values *values, const struct value_ref *ref,
		     void *ret)
{
	return page_load_into(values_files(values), &ref->root, PAGE_VALUE, ret,
			      ref->bytes);
}

int values_load_shares(struct values *values, const struct value_ref *ref,
		       struct value_share **ret, size_t *ret_n)
{
	struct value_root root = { .n_shares = 0 };
	struct value_share *shares;
	size_t i = 0;
	int rc = ref->is_page ? 0 : values_load_root(values, ref, &root);

	if (rc < 0)
		return rc;
	shares = malloc((root.n_shares + 1) * sizeof(*shares));
	if (!shares) {
		value_root_release(&root);
		return err_set(AEDB_NO_MEMORY, "shares of a value: no memory");
	}
	if (root.n_shares)
		memcpy(shares, root.shares, root.n_shares * sizeof(*shares));
	while (i < root.n_shares && shares[i].file < ref->root.file)
		i++;
	if (i == root.n_shares || shares[i].file != ref->root.file) {
		memmove(shares + i + 1, shares + i,
			(root.n_shares++ - i) * sizeof(*shares));
		shares[i] = (struct value_share){ .file = ref->root.file };
	}
	shares[i].bytes += page_disk_bytes(ref->root.stored_bytes);
	*ret = shares;
	*ret_n = root.n_shares;
	value_root_release(&root);
	return 0;
}
