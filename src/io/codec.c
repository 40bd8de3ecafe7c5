/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/codec.h"

#include <dlfcn.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* lzo/lzo1x.h: lzo_uint is of a pointer's size; 0 is success. snappy-c.h: so it is there. */
typedef int lzo_fn(
	const uint8_t *in, unsigned long len, uint8_t *out, unsigned long *out_len, void *);
typedef int snappy_fn(const char *in, size_t len, char *out, size_t *out_len);

struct codecs {
	lzo_fn *lzo;
	snappy_fn *snappy;
};

struct codecs *codecs_new(void)
{
	return calloc(1, sizeof(struct codecs));
}

void codecs_free(struct codecs *c)
{
	free(c);
}

/* A pointer to a function has the form of one to an object, says POSIX of dlsym(). */
static bool load_function(const char *library, const char *name, void *ret)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	void *at = handle ? dlsym(handle, name) : NULL;

	if (handle)
		dlclose(handle);
	memcpy(ret, &at, sizeof(at));
	return at;
}

#define LZO_LIBRARY    "liblzo2.so.2"
#define LZO_NAME       "lzo1x_decompress_safe"
#define SNAPPY_LIBRARY "libsnappy.so.1"
#define SNAPPY_NAME    "snappy_uncompress"

void codecs_load(void)
{
	void *fn;

	(void)load_function(LZO_LIBRARY, LZO_NAME, &fn);
	(void)load_function(SNAPPY_LIBRARY, SNAPPY_NAME, &fn);
}

static bool unpack_lzo(struct codecs *c, const uint8_t *in, size_t len, uint8_t *out,
	size_t out_len, const char **why)
{
	unsigned long n = out_len;

	if (!c->lzo && !load_function(LZO_LIBRARY, LZO_NAME, &c->lzo)) {
		*why = "is packed with LZO, and " LZO_LIBRARY " is not there";
		return false;
	}
	return !c->lzo(in, len, out, &n, NULL) && n == out_len;
}

static bool unpack_snappy(struct codecs *c, const uint8_t *in, size_t len, uint8_t *out,
	size_t out_len, const char **why)
{
	size_t n = out_len;

	if (!c->snappy && !load_function(SNAPPY_LIBRARY, SNAPPY_NAME, &c->snappy)) {
		*why = "is packed with snappy, and " SNAPPY_LIBRARY " is not there";
		return false;
	}
	return !c->snappy((const char *)in, len, (char *)out, &n) && n == out_len;
}

bool codec_unpack(struct codecs *c, enum codec_kind kind, const uint8_t *in, size_t len,
	uint8_t *out, size_t out_len, const char **why)
{
	uLongf n = out_len;

	*why = "cannot be unpacked";
	switch (kind) {
	case CODEC_ZLIB:
		return uncompress(out, &n, in, len) == Z_OK && n == out_len;
	case CODEC_ZSTD:
		return ZSTD_decompress(out, out_len, in, len) == out_len;
	case CODEC_LZO:
		return unpack_lzo(c, in, len, out, out_len, why);
	case CODEC_SNAPPY:
		return unpack_snappy(c, in, len, out, out_len, why);
	}
	return false;
}
