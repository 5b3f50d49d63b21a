/* Versions pinned for reading, shared by the handles that see the same one. */
#include "pin.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct pin {
	uint32_t refs;			/* guarded by the tree lock */
	pthread_mutex_t lock;
	struct aedb_reader *reader;	/* owned; its reading guarded by lock */
	uint64_t bytes;			/* constant after open */
};

int pin_new(struct aedb_reader *reader, struct pin **ret)
{
	struct pin *pin = calloc(1, sizeof(*pin));

	if (!pin) {
		aedb_reader_close(reader);
		return -ENOMEM;
	}
	pin->reader = reader;
	pin->refs = 1;
	pin->bytes = aedb_reader_entry(reader)->value_bytes;
	pthread_mutex_init(&pin->lock, NULL);
	*ret = pin;
	return 0;
}

struct pin *pin_ref(struct pin *pin)
{
	pin->refs++;
	return pin;
}

void pin_unref(struct pin *pin)
{
	if (!pin || --pin->refs > 0)
		return;
	aedb_reader_close(pin->reader);
	pthread_mutex_destroy(&pin->lock);
	free(pin);
}

uint64_t pin_bytes(const struct pin *pin)
{
	return pin->bytes;
}

uint64_t pin_allocated_bytes(const struct pin *pin)
{
	return aedb_reader_allocated_bytes(pin->reader);
}

const struct aedb_reader *pin_reader(const struct pin *pin)
{
	return pin->reader;
}

bool pin_is_resident(const struct pin *pin)
{
	return pin->bytes <= AEDB_VALUE_INLINE_MAX;
}

int pin_read(struct pin *pin, void *buf, size_t n, uint64_t offset,
	     size_t *ret)
{
	int rc;

	pthread_mutex_lock(&pin->lock);
	rc = aedb_reader_read(pin->reader, buf, n, offset, ret);
	pthread_mutex_unlock(&pin->lock);
	return rc;
}

int pin_read_at_once(struct pin *pin, void *buf, size_t n, uint64_t offset,
		     size_t *ret)
{
	int rc = -EAGAIN;

	if (pthread_mutex_trylock(&pin->lock) != 0)
		return rc;
	if (aedb_reader_has(pin->reader, n, offset))
		rc = aedb_reader_read(pin->reader, buf, n, offset, ret);
	pthread_mutex_unlock(&pin->lock);
	return rc;
}

int pin_seek(struct pin *pin, enum aedb_extent what, uint64_t offset,
	     uint64_t *ret)
{
	int rc;

	pthread_mutex_lock(&pin->lock);
	rc = aedb_reader_seek(pin->reader, what, offset, ret);
	pthread_mutex_unlock(&pin->lock);
	return rc;
}
