/* Values of tables as JSON and back. */
#include "cell_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "text.h"
#include "wide_text.h"

#define EXACT_MAX (INT64_C(1) << 53)	/* that every reader of JSON keeps */
#define NO_MEMORY "there is no memory for it"

/* Reading. */

static bool is_signed(enum aedb_type type)
{
	return type == AEDB_TYPE_I64 || type == AEDB_TYPE_I256 ||
	       type == AEDB_TYPE_TIMESTAMP;
}

/* Digits of an integer, of JSON or in a string; false: it is none. */
static bool integer_text(const json_t *json, char ret[WIDE_TEXT_BYTES])
{
	const char *text = json_string_value(json);

	if (json_is_integer(json))
		snprintf(ret, WIDE_TEXT_BYTES, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(json));
	else if (text && strlen(text) == json_string_length(json) &&
		 strlen(text) < WIDE_TEXT_BYTES)
		strcpy(ret, text);
	else
		return false;
	return true;
}

static uint64_t low_bits(const uint8_t *wide)
{
	uint64_t bits = 0;

	for (int i = WIDE_BYTES - 8; i < WIDE_BYTES; i++)
		bits = bits << 8 | wide[i];
	return bits;
}

/* Whether only the last eight bytes say something. */
static bool is_narrow(const uint8_t *wide, bool has_sign)
{
	uint8_t fill = has_sign && wide[WIDE_BYTES - 8] >= 0x80 ? 0xff : 0;

	for (int i = 0; i < WIDE_BYTES - 8; i++)
		if (wide[i] != fill)
			return false;
	return true;
}

static const char *read_integer(const json_t *json, enum aedb_type type,
				struct aedb_value *ret)
{
	bool is_wide = type == AEDB_TYPE_U256 || type == AEDB_TYPE_I256;
	struct aedb_value v = { .type = type };
	char text[WIDE_TEXT_BYTES];
	uint8_t wide[WIDE_BYTES];

	if (!integer_text(json, text))
		return "not an integer, nor a string of its decimal digits";
	if (!wide_parse(text, is_signed(type), wide) ||
	    (!is_wide && !is_narrow(wide, is_signed(type))))
		return "not an integer of this type";
	if (is_wide)
		memcpy(v.wide, wide, sizeof(v.wide));
	else
		v.u64 = low_bits(wide);
	*ret = v;
	return NULL;
}

static const char *read_real(const json_t *json, struct aedb_value *ret)
{
	json_int_t whole = json_integer_value(json);

	if (!json_is_number(json))
		return "not a number";
	if (json_is_integer(json) && (__int128)(double)whole != whole)
		return "an integer that no FLOAT is";
	ret->type = AEDB_TYPE_FLOAT;
	ret->real = json_number_value(json);
	return NULL;
}

/* RFC 3339 in UTC with any number of digits behind the second up to nine. */
static bool parse_time(const char *text, int64_t *ret)
{
	size_t n = strlen(text), whole = strlen("1970-01-01T00:00:00");
	char full[TEXT_TIME_BYTES];
	int digits;

	if (n < whole + 1 || text[n - 1] != 'Z' ||
	    n > whole + strlen(".000000000Z"))
		return false;
	if (n > whole + 1 && (text[whole] != '.' || n == whole + 2))
		return false;
	digits = n > whole + 1 ? (int)(n - whole - 2) : 0;
	snprintf(full, sizeof(full), "%.*s.%.*s%.*sZ", (int)whole, text, digits,
		 text + whole + 1, 9 - digits, "000000000");
	return text_parse_time(full, ret);
}

static const char *read_time(const json_t *json, struct aedb_value *ret)
{
	const char *text = json_string_value(json);
	struct aedb_value v = { .type = AEDB_TYPE_TIMESTAMP };

	if (text && strlen(text) == json_string_length(json) &&
	    parse_time(text, &v.i64))
		*ret = v;
	else if (read_integer(json, AEDB_TYPE_TIMESTAMP, ret))
		return "not a time as 2026-01-31T23:59:59.5Z, nor nanoseconds "
		       "since 1970";
	return NULL;
}

static const char *read_blob(const json_t *json, struct keep *keep,
			     struct aedb_value *ret)
{
	size_t n = json_string_length(json);
	void *room;

	if (!json_is_string(json))
		return "not a string of base64";
	room = keep_take(keep, n + 1, 1);
	if (!room)
		return NO_MEMORY;
	if (!base64_decode(json_string_value(json), n, room, &ret->bytes.n))
		return "not a string of base64";
	ret->type = AEDB_TYPE_BLOB;
	ret->bytes.at = room;
	return NULL;
}

static const char *read_json(const json_t *json, struct keep *keep,
			     struct aedb_value *ret)
{
	char *text = json_dumps(json, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0;
	char *room = text ? keep_take(keep, n + 1, 1) : NULL;

	if (room)
		memcpy(room, text, n);
	free(text);
	if (!room)
		return NO_MEMORY;
	ret->type = AEDB_TYPE_JSON;
	ret->bytes = (struct aedb_bytes){ room, n };
	return NULL;
}

static const char *read_text(const json_t *json, enum aedb_type type,
			     struct aedb_value *ret)
{
	if (!json_is_string(json))
		return type == AEDB_TYPE_JSON ?
			"not a string with JSON, an object or an array" :
			"not a string";
	ret->type = type;
	ret->bytes = (struct aedb_bytes){ json_string_value(json),
					  json_string_length(json) };
	return NULL;
}

const char *cell_json_read(const json_t *json, enum aedb_type type,
			   struct keep *keep, struct aedb_value *ret)
{
	*ret = (struct aedb_value){ .type = AEDB_TYPE_NULL };
	if (json_is_null(json))
		return NULL;
	switch (type) {
	case AEDB_TYPE_BOOL:
		ret->type = type;
		ret->boolean = json_is_true(json);
		return json_is_boolean(json) ? NULL : "not true or false";
	case AEDB_TYPE_FLOAT:
		return read_real(json, ret);
	case AEDB_TYPE_TIMESTAMP:
		return read_time(json, ret);
	case AEDB_TYPE_BLOB:
		return read_blob(json, keep, ret);
	case AEDB_TYPE_JSON:
		if (json_is_object(json) || json_is_array(json))
			return read_json(json, keep, ret);
		return read_text(json, type, ret);
	case AEDB_TYPE_TEXT:
		return read_text(json, type, ret);
	default:
		return read_integer(json, type, ret);
	}
}

static bool is_number(enum aedb_type type)
{
	return type == AEDB_TYPE_FLOAT ||
	       (type >= AEDB_TYPE_U8 && type <= AEDB_TYPE_I256);
}

const char *cell_json_read_constant(const json_t *json, enum aedb_type type,
				    struct keep *keep, struct aedb_value *ret)
{
	const char *text = json_string_value(json);

	if (!is_number(type) || json_is_null(json))
		return cell_json_read(json, type, keep, ret);
	if (json_is_real(json))
		return read_real(json, ret);
	if (json_is_integer(json))
		return read_integer(json, AEDB_TYPE_I64, ret);
	return read_integer(json, text && *text == '-' ? AEDB_TYPE_I256
						       : AEDB_TYPE_U256, ret);
}

/* Writing. */

static json_t *integer_json(int64_t n)
{
	char text[24];

	if (n >= -EXACT_MAX && n <= EXACT_MAX)
		return json_integer(n);
	snprintf(text, sizeof(text), "%" PRId64, n);
	return json_string(text);
}

static json_t *wide_json(const struct aedb_value *v)
{
	bool has_sign = v->type == AEDB_TYPE_I256;
	char text[WIDE_TEXT_BYTES];

	if (is_narrow(v->wide, has_sign) && low_bits(v->wide) <= INT64_MAX)
		return integer_json((int64_t)low_bits(v->wide));
	if (is_narrow(v->wide, has_sign) && has_sign)
		return integer_json((int64_t)low_bits(v->wide));
	wide_format(v->wide, has_sign, text);
	return json_string(text);
}

static json_t *unsigned_json(uint64_t n)
{
	char text[24];

	if (n <= EXACT_MAX)
		return json_integer((json_int_t)n);
	snprintf(text, sizeof(text), "%" PRIu64, n);
	return json_string(text);
}

static json_t *time_json(int64_t ns)
{
	char text[TEXT_TIME_BYTES];

	text_format_time(ns, text);
	return json_string(text);
}

static json_t *blob_json(struct aedb_bytes bytes)
{
	char *text = malloc(BASE64_CHARS(bytes.n) + 1);
	json_t *string = NULL;

	if (text) {
		base64_encode(bytes.at, bytes.n, text);
		string = json_stringn(text, BASE64_CHARS(bytes.n));
	}
	free(text);
	return string;
}

json_t *cell_json_write(const struct aedb_value *value)
{
	switch (value->type) {
	case AEDB_TYPE_NULL:
		return json_null();
	case AEDB_TYPE_BOOL:
		return json_boolean(value->boolean);
	case AEDB_TYPE_U8:
	case AEDB_TYPE_U64:
		return unsigned_json(value->u64);
	case AEDB_TYPE_I64:
		return integer_json(value->i64);
	case AEDB_TYPE_U256:
	case AEDB_TYPE_I256:
		return wide_json(value);
	case AEDB_TYPE_TIMESTAMP:
		return time_json(value->i64);
	case AEDB_TYPE_FLOAT:
		return json_real(value->real);
	case AEDB_TYPE_TEXT:
	case AEDB_TYPE_JSON:
		return json_stringn(value->bytes.n ? value->bytes.at : "",
				    value->bytes.n);
	default:
		return blob_json(value->bytes);
	}
}

/* Digits that say which double it is: 15 to 17. */
static size_t precision_of(double real)
{
	size_t digits;
	char text[40];

	for (digits = 15; digits < 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", (int)digits, real);
		if (strtod(text, NULL) == real)
			break;
	}
	return digits;
}

int cell_json_print(FILE *out, const struct aedb_value *value)
{
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	json_t *json = cell_json_write(value);

	if (!json)
		return -1;
	if (value->type == AEDB_TYPE_FLOAT)
		flags |= JSON_REAL_PRECISION(precision_of(value->real));
	json_dumpf(json, out, flags);
	json_decref(json);
	return 0;
}
