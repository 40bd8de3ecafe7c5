/* SPDX-License-Identifier: BSD-2-Clause
 *
 * kallsyms.c - the kernel's own symbol table, found in guest memory without any outside help.
 *
 * Source of the layout: Linux scripts/kallsyms.c (writer) and kernel/kallsyms.c (reader).
 * Every name is a length byte (two from 6.1 on when it exceeds 127) and that many token numbers;
 * 256 tokens stand as NUL-terminated strings in token_table, their offsets in token_index. A
 * character that occurs in any symbol is its own one-character token whose number is its code, so
 * the digits are tokens 48 to 57: the bytes "0\0" "1\0" .. "9\0" anchor the search. Everything else
 * is proved from there: token_index must equal the offsets computed from token_table, the name
 * table must end where the markers say, and the addresses must ascend.
 */
#include "guest/symbols_store.h"

#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "guest/window.h"

#define NR_TOKENS   256u
#define FIRST_DIGIT 48u	 /* '0' */
#define TOKEN_BYTES 4096 /* the whole table; real ones take about 900 bytes */
/* How far before the token table the names may begin: those of 200,000 symbols take 3.1 MiB. */
#define NAMES_USUAL    (4u << 20)
#define NAMES_BYTES    (12u << 20)
#define MIN_SYMS       2000u
#define MARKER_EVERY   256u
#define MAX_NAME_BYTES 1024u /* KSYM_NAME_LEN is 512 since 6.1 */
/* Names that the search for the name table may step over, all hits together, before a hostile image
 * has had enough. Real images take a few more than they have symbols. */
#define MAX_STEPS (64u << 20)
#define MAX_HITS  64u

struct tokens {
	gva_t table, index;
	char text[TOKEN_BYTES];
	uint16_t off[NR_TOKENS], len[NR_TOKENS];
};

struct names {
	gva_t num_syms; /* address of the count; the names begin `align` bytes on */
	unsigned align; /* of every table: 8; 4 in 7.2 and in 32-bit kernels */
	uint32_t nr;
	uint8_t *at; /* owned copy: the search buffer is much larger */
	size_t bytes;
	unsigned marker_bytes; /* 4; 8 before 4.20 in 64-bit kernels */
};

enum encoding {
	ENC_PERCPU,   /* s32: v >= 0 absolute, else base - 1 - v (4.6 .. 6.14, x86-64 SMP) */
	ENC_RELATIVE, /* base + u32 (6.15; 4.6 without absolute per-cpu symbols, so 32-bit) */
	ENC_PLACE,    /* address of the entry + s32 (7.0) */
	ENC_ABSOLUTE, /* a word (before 4.6) */
};

struct addresses {
	enum encoding enc;
	unsigned word_bytes; /* of the kernel: 4 or 8 */
	gva_t table;
	uint64_t base;
	uint8_t *raw;	/* owned */
	bool ascending; /* without exception */
};

static const char *const encoding_names[] = {
	[ENC_PERCPU] = "absolute per-cpu offsets",
	[ENC_RELATIVE] = "base-relative offsets",
	[ENC_PLACE] = "place-relative offsets",
	[ENC_ABSOLUTE] = "absolute addresses",
};

/* ---- tokens ------------------------------------------------------------------------------- */

static bool read_token_index(struct guest *g, struct tokens *t, gva_t at)
{
	uint8_t raw[NR_TOKENS * 2];
	struct err err;
	unsigned i;

	t->index = at;
	if (guest_read(g, t->index, raw, sizeof(raw), &err))
		return false;
	for (i = 0; i < NR_TOKENS; i++)
		t->off[i] = num_le16(raw + 2 * i);
	return true;
}

/* Bytes from token 48, at `digits`, to the end of the table; 0: there is none. Uses t->text. */
static size_t bytes_from_digits(struct guest *g, gva_t digits, struct tokens *t)
{
	size_t at = 0, room = sizeof(t->text);
	struct err err;
	unsigned i;

	/* The table may end near the end of a mapping. */
	while (guest_read(g, digits, t->text, room, &err))
		if ((room /= 2) < NR_TOKENS)
			return 0;
	for (i = FIRST_DIGIT; i < NR_TOKENS; i++) {
		const char *nul = at < room ? memchr(t->text + at, 0, room - at) : NULL;

		if (!nul)
			return 0;
		at = (size_t)(nul - t->text) + 1;
	}
	return at;
}

/* True when the table that ends `at` bytes behind `digits` and the index behind it, at the next
 * multiple of `align`, prove each other. */
static bool prove_tokens(struct guest *g, gva_t digits, size_t at, unsigned align, struct tokens *t)
{
	struct err err;
	size_t room;
	unsigned i;

	if (!read_token_index(g, t, GVA(num_align_up(digits.v + at, align))))
		return false;
	t->table = GVA(digits.v - t->off[FIRST_DIGIT]);
	at += t->off[FIRST_DIGIT];
	if (at > sizeof(t->text) || guest_read(g, t->table, t->text, at, &err))
		return false;
	for (i = 0, room = at, at = 0; i < NR_TOKENS; i++) {
		const char *nul = at < room ? memchr(t->text + at, 0, room - at) : NULL;

		if (!nul || t->off[i] != at)
			return false;
		t->len[i] = (uint16_t)((size_t)(nul - t->text) - at);
		at = (size_t)(nul - t->text) + 1;
	}
	return at == room;
}

static bool read_tokens(struct guest *g, gva_t digits, struct tokens *t)
{
	size_t at = bytes_from_digits(g, digits, t);

	return at && (prove_tokens(g, digits, at, 8, t) || prove_tokens(g, digits, at, 4, t));
}

/* ---- names -------------------------------------------------------------------------------- */

static bool type_letter(const struct tokens *t, uint8_t token)
{
	char c = t->text[t->off[token]];

	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '?';
}

/* Length of the entry at p, header included; 0 when it is not one. */
static size_t name_step(const uint8_t *p, const uint8_t *end, const struct tokens *t)
{
	size_t head = 1, len;

	if (p >= end)
		return 0;
	len = p[0];
	if (len & 0x80) {
		if (end - p < 2)
			return 0;
		len = (len & 0x7f) | (size_t)p[1] << 7;
		head = 2;
	}
	if (!len || len > MAX_NAME_BYTES || (size_t)(end - p) < head + len ||
		!type_letter(t, p[head]))
		return 0;
	return head + len;
}

/* Do the markers at p say 0 first, and then where name 256 starts? */
static bool markers_fit(const uint8_t *p, const uint8_t *end, size_t first_256, unsigned bytes)
{
	if ((size_t)(end - p) < 2u * bytes)
		return false;
	if (bytes == 4)
		return !num_le32(p) && num_le32(p + 4) == first_256;
	return !num_le64(p) && num_le64(p + 8) == first_256;
}

/* Is there a name table of n entries at p? `steps` bounds the work over all candidates. */
static bool try_names(const uint8_t *buf, const uint8_t *p, const uint8_t *end, uint32_t n,
	const struct tokens *t, uint64_t *steps, struct names *ret)
{
	const uint8_t *start = p, *after;
	size_t first_256 = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		size_t step = name_step(p, end, t);

		if (!step || !*steps)
			return false;
		--*steps;
		if (i == MARKER_EVERY)
			first_256 = (size_t)(p - start);
		p += step;
	}
	/* buf stands for an 8-aligned address. */
	after = buf + num_align_up((uint64_t)(p - buf), ret->align);
	if (after > end)
		return false;
	if (markers_fit(after, end, first_256, 4))
		ret->marker_bytes = 4;
	else if (markers_fit(after, end, first_256, 8))
		ret->marker_bytes = 8;
	else
		return false;
	ret->nr = n;
	ret->bytes = (size_t)(p - start);
	ret->at = malloc(ret->bytes);
	if (ret->at)
		memcpy(ret->at, start, ret->bytes);
	return ret->at;
}

/* The names follow their number; at the next multiple of 8, the number is followed by zeros. */
static bool find_names(const uint8_t *buf, size_t len, gva_t origin, const struct tokens *t,
	uint64_t *steps, struct names *ret)
{
	const uint8_t *end = buf + len;
	size_t off;

	for (off = 0; off + 16 < len && *steps; off += ret->align) {
		uint32_t n = num_le32(buf + off);

		if (n <= MIN_SYMS || n >= KALLSYMS_MAX_SYMS ||
			(ret->align == 8 && num_le32(buf + off + 4)))
			continue;
		if (try_names(buf, buf + off + ret->align, end, n, t, steps, ret)) {
			ret->num_syms = gva_add(origin, off);
			return true;
		}
	}
	return false;
}

/* ---- addresses ---------------------------------------------------------------------------- */

static uint64_t address_of(const struct addresses *a, uint32_t i)
{
	int64_t v;

	if (a->enc == ENC_ABSOLUTE && a->word_bytes == 8)
		return num_le64(a->raw + 8ull * i);
	v = (int32_t)num_le32(a->raw + 4ull * i);
	switch (a->enc) {
	case ENC_PERCPU:
		return v >= 0 ? (uint64_t)v : a->base - 1 - (uint64_t)v;
	case ENC_RELATIVE:
		return a->base + (uint32_t)v;
	case ENC_ABSOLUTE:
		return (uint32_t)v;
	default:
		return a->table.v + 4ull * i + (uint64_t)v;
	}
}

/* Share of neighbours that ascend, in 1/1000; per-cpu offsets come first and ascend as well. */
static unsigned count_ascending(const struct addresses *a, uint32_t nr)
{
	uint64_t up = 0, last = address_of(a, 0);
	uint32_t i;

	for (i = 1; i < nr; i++) {
		uint64_t next = address_of(a, i);

		up += next >= last;
		last = next;
	}
	return (unsigned)(up * 1000 / (nr - 1));
}

static size_t entry_bytes(const struct addresses *a)
{
	return a->enc == ENC_ABSOLUTE ? a->word_bytes : 4;
}

/* Empty memory: read as place-relative offsets, it is a list of addresses that ascend. */
static bool is_constant(const struct addresses *a, uint32_t nr)
{
	size_t each = entry_bytes(a);
	uint32_t i, same = 0;

	for (i = 1; i < nr; i++)
		same += !memcmp(a->raw + i * each, a->raw + (i - 1) * each, each);
	return same > nr / 2;
}

/* Take `a` when nearly all addresses ascend and the last lie in the kernel half. */
static bool accept_table(struct guest *g, struct addresses *a, gva_t table, uint32_t nr)
{
	size_t bytes = nr * entry_bytes(a);
	struct err err;

	a->table = table;
	a->raw = malloc(bytes);
	if (a->raw && !guest_read(g, table, a->raw, bytes, &err) && !is_constant(a, nr) &&
		guest_is_kernel_addr(g, address_of(a, nr - 1)) &&
		guest_is_kernel_addr(g, address_of(a, nr / 2))) {
		unsigned share = count_ascending(a, nr);

		a->ascending = share == 1000;
		if (share >= 990)
			return true;
	}
	free(a->raw);
	a->raw = NULL;
	return false;
}

static bool accept_relative(
	struct guest *g, struct addresses *a, gva_t table, gva_t base_at, uint32_t nr)
{
	static const enum encoding encodings[] = {ENC_PERCPU, ENC_RELATIVE};
	size_t i;

	if (guest_read_word(g, base_at, &a->base, NULL) || !guest_is_kernel_addr(g, a->base))
		return false;
	for (i = 0; i < ARRAY_SIZE(encodings); i++) {
		a->enc = encodings[i];
		if (accept_table(g, a, table, nr))
			return true;
	}
	return false;
}

/*
 * Where the addresses stand depends on the order of emission:
 *  up to 6.3: offsets, relative_base, num_syms, names, markers, [seqs], token_table, token_index
 *  from 6.4:  num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs
 *  7.0:       the same without relative_base
 *  up to 4.5: addresses, num_syms, names, ...
 * Every table starts 8-aligned, so an odd number of offsets is followed by four bytes of padding;
 * Linux 7.2 and 32-bit kernels have them 4-aligned, and the names right behind their number.
 */
static bool find_addresses(
	struct guest *g, const struct tokens *t, const struct names *n, struct addresses *a)
{
	uint64_t offsets_bytes = num_align_up(4ull * n->nr, n->align);
	gva_t post = GVA(num_align_up(t->index.v + NR_TOKENS * 2, n->align));
	gva_t base = GVA(n->num_syms.v - a->word_bytes), pre = GVA(base.v - offsets_bytes);

	if (accept_relative(g, a, pre, base, n->nr) ||
		accept_relative(g, a, post, gva_add(post, offsets_bytes), n->nr))
		return true;
	/* The weakest proof comes last: place-relative offsets have no base to check. */
	a->enc = ENC_ABSOLUTE;
	if (accept_table(g, a, GVA(n->num_syms.v - (uint64_t)a->word_bytes * n->nr), n->nr))
		return true;
	a->enc = ENC_PLACE;
	return accept_table(g, a, post, n->nr);
}

/* ---- putting it together ------------------------------------------------------------------ */

static size_t expand_name(
	const struct tokens *t, const uint8_t *p, size_t len, char *out, size_t cap)
{
	size_t n = 0;

	for (; len--; p++) {
		size_t step = t->len[*p];

		if (step > cap - n)
			step = cap - n;
		memcpy(out + n, t->text + t->off[*p], step);
		n += step;
	}
	return n;
}

static int fill_symbols(struct symbols *s, const struct tokens *t, const struct names *n,
	const struct addresses *a, struct err *err)
{
	const uint8_t *p = n->at, *end = n->at + n->bytes;
	char name[MAX_NAME_BYTES];
	uint32_t i;

	for (i = 0; i < n->nr; i++) {
		size_t step = name_step(p, end, t), head = *p & 0x80 ? 2 : 1;
		size_t len = expand_name(t, p + head, step - head, name, sizeof(name));

		if (len > 1 && symbols_add(s, name + 1, len - 1, address_of(a, i), 0, name[0]))
			return err_nomem(err, "the kernel's symbols");
		p += step;
	}
	return symbols_seal(s) ? err_nomem(err, "the kernel's symbols") : 0;
}

/* ---- by the kernel's own index ------------------------------------------------------------ */

/*
 * kallsyms_seqs_of_names (Linux 6.2, and 6.1.y): the numbers of all symbols in the order of their
 * names, three bytes each, big-endian. With it a name is found by binary search and nothing needs
 * to be unpacked beforehand.
 */
struct by_seqs {
	struct tokens t;
	struct names n;	    /* owns n.at */
	struct addresses a; /* owns a.raw */
	uint8_t *seqs;	    /* owned, 3 bytes a symbol */
	uint32_t *marks;    /* owned: where each 256th name starts */
};

static uint32_t seq_at(const struct by_seqs *b, size_t i)
{
	const uint8_t *p = b->seqs + 3 * i;

	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* Type letter and name of symbol i; the length without the letter. */
static size_t unpack_name(const struct by_seqs *b, size_t i, char *buf, size_t cap)
{
	const uint8_t *p = b->n.at + b->marks[i / MARKER_EVERY], *end = b->n.at + b->n.bytes;
	size_t k, head, n;

	for (k = i & ~(size_t)(MARKER_EVERY - 1); k < i; k++)
		p += name_step(p, end, &b->t);
	head = *p & 0x80 ? 2 : 1;
	n = expand_name(&b->t, p + head, name_step(p, end, &b->t) - head, buf, cap - 1);
	buf[n] = 0;
	return n;
}

static size_t by_seqs_nr(const void *data)
{
	const struct by_seqs *b = data;

	return b->n.nr;
}

static size_t by_seqs_lookup(const void *data, const char *name, struct symbol *ret, size_t max)
{
	const struct by_seqs *b = data;
	size_t lo = 0, hi = b->n.nr, n = 0;
	char found[MAX_NAME_BYTES];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		unpack_name(b, seq_at(b, mid), found, sizeof(found));
		if (strcmp(found + 1, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < b->n.nr; lo++, n++) {
		uint32_t i = seq_at(b, lo);

		unpack_name(b, i, found, sizeof(found));
		if (strcmp(found + 1, name))
			break;
		if (n < max)
			ret[n] = (struct symbol){GVA(address_of(&b->a, i)), 0, found[0]};
	}
	return n;
}

/* The first symbol that may have the address. */
static uint32_t lowest_at(const struct by_seqs *b, uint64_t addr)
{
	uint32_t lo = 0, hi = b->a.ascending ? b->n.nr : 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (address_of(&b->a, mid) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool by_seqs_at(const void *data, uint64_t addr, char *buf, size_t cap)
{
	const struct by_seqs *b = data;
	char name[MAX_NAME_BYTES] = "";
	uint32_t i;

	for (i = lowest_at(b, addr); i < b->n.nr && !symbols_is_code(name[0]); i++) {
		if (address_of(&b->a, i) == addr)
			unpack_name(b, i, name, sizeof(name));
		else if (b->a.ascending)
			break;
	}
	if (*name)
		snprintf(buf, cap, "%s", name + 1);
	return *name;
}

static void by_seqs_free(void *data)
{
	struct by_seqs *b = data;

	free(b->n.at);
	free(b->a.raw);
	free(b->seqs);
	free(b->marks);
	free(b);
}

static const struct symbols_backend by_seqs_backend = {
	.nr = by_seqs_nr,
	.lookup = by_seqs_lookup,
	.at = by_seqs_at,
	.free = by_seqs_free,
};

static bool mark_names(struct by_seqs *b)
{
	const uint8_t *p = b->n.at, *end = p + b->n.bytes;
	uint32_t i;

	b->marks = calloc(b->n.nr / MARKER_EVERY + 1, sizeof(*b->marks));
	for (i = 0; b->marks && i < b->n.nr; i++) {
		if (!(i % MARKER_EVERY))
			b->marks[i / MARKER_EVERY] = (uint32_t)(p - b->n.at);
		p += name_step(p, end, &b->t);
	}
	return b->marks;
}

/* Each symbol once, and the names in order, as far as neighbours all over the table show. */
static bool seqs_fit(const struct by_seqs *b)
{
	CLEANUP_FREE uint8_t *seen = calloc(b->n.nr, 1);
	char one[MAX_NAME_BYTES], two[MAX_NAME_BYTES];
	uint32_t i, step = b->n.nr / 512 + 1;

	for (i = 0; seen && i < b->n.nr; i++) {
		uint32_t seq = seq_at(b, i);

		if (seq >= b->n.nr || seen[seq]++)
			return false;
	}
	for (i = 0; i + 1 < b->n.nr; i += step) {
		unpack_name(b, seq_at(b, i), one, sizeof(one));
		unpack_name(b, seq_at(b, i + 1), two, sizeof(two));
		if (!*one || !*two || strcmp(one + 1, two + 1) > 0)
			return false;
	}
	return seen;
}

/* Where it stands: see find_addresses(); behind the markers, or behind the addresses. */
static bool read_seqs(struct guest *g, struct by_seqs *b)
{
	size_t bytes = 3 * (size_t)b->n.nr;
	gva_t post = GVA(num_align_up(b->t.index.v + NR_TOKENS * 2, b->n.align));
	uint64_t offsets_bytes = num_align_up(4ull * b->n.nr, b->n.align);
	const gva_t places[] = {
		GVA((b->t.table.v - bytes) & ~7ull),
		gva_add(post, offsets_bytes + b->a.word_bytes),
		gva_add(post, offsets_bytes),
	};
	struct err err;
	size_t i;

	b->seqs = malloc(bytes);
	for (i = 0; b->seqs && i < ARRAY_SIZE(places); i++)
		if (!guest_read(g, places[i], b->seqs, bytes, &err) && seqs_fit(b))
			return true;
	return false;
}

/* Takes over the tables that n and a own, when it succeeds; NULL: no such index. */
static struct symbols *open_by_seqs(
	struct guest *g, const struct tokens *t, struct names *n, struct addresses *a)
{
	struct by_seqs *b = calloc(1, sizeof(*b));
	struct symbols *s = NULL;

	if (!b)
		return NULL;
	b->t = *t;
	b->n = *n;
	b->a = *a;
	if (mark_names(b) && read_seqs(g, b))
		s = symbols_from_backend(&by_seqs_backend, b);
	if (s) {
		n->at = NULL;
		a->raw = NULL;
		return s;
	}
	b->n.at = NULL;
	b->a.raw = NULL;
	by_seqs_free(b);
	return NULL;
}

/* Everything unpacked, for kernels without that index. */
static struct symbols *open_unpacked(
	const struct tokens *t, const struct names *n, const struct addresses *a, struct err *err)
{
	struct symbols *s = symbols_new();

	if (!s) {
		err_nomem(err, "the kernel's symbols");
		return NULL;
	}
	if (fill_symbols(s, t, n, a, err)) {
		symbols_free(s);
		return NULL;
	}
	return s;
}

/* Count the pages of the tables as read: the search itself only peeked. */
static void keep_read(struct guest *g, const struct names *n)
{
	uint8_t page[1];
	uint64_t va, end = n->num_syms.v + n->align + n->bytes + 16;
	struct err err;

	for (va = n->num_syms.v; va < end; va = (va | PAGE_OFFSET_MASK) + 1)
		if (guest_read(g, GVA(va), page, 1, &err))
			return;
}

/* 1: found, 0: not there, -1: error. */
static int search_names(struct guest *g, const struct tokens *t, uint64_t *steps, struct names *ret,
	struct err *err)
{
	size_t cap, len = 0;
	gva_t origin;

	for (cap = NAMES_USUAL; cap <= NAMES_BYTES; cap += NAMES_BYTES - NAMES_USUAL) {
		CLEANUP_FREE uint8_t *buf = malloc(cap);

		if (!buf)
			return err_nomem(err, "the search for kallsyms");
		len = window_peek_back(g, t->table, buf, cap, &origin);
		for (ret->align = guest_word_bytes(g); ret->align >= 4; ret->align -= 4)
			if (find_names(buf, len, origin, t, steps, ret))
				return 1;
		if (len + PAGE_BYTES <= cap) /* there is no more */
			break;
	}
	return 0;
}

/* 1: found, 0: this hit is not the table, -1: error. */
static int try_hit(
	struct guest *g, gva_t digits, uint64_t *steps, struct symbols **ret, struct err *err)
{
	struct addresses a = {.word_bytes = guest_word_bytes(g)};
	struct names n = {.at = NULL};
	struct symbols *s = NULL;
	struct tokens t;
	int rc;

	if (!read_tokens(g, digits, &t))
		return 0;
	rc = search_names(g, &t, steps, &n, err);
	if (rc == 1 && !find_addresses(g, &t, &n, &a))
		rc = 0;
	if (rc == 1) {
		keep_read(g, &n);
		s = open_by_seqs(g, &t, &n, &a);
		if (!s)
			s = open_unpacked(&t, &n, &a, err);
		rc = s ? 1 : -1;
	}
	if (s) {
		symbols_set_origin(s, "kallsyms at 0x%" PRIx64 ": %u symbols, %s", n.num_syms.v,
			n.nr, encoding_names[a.enc]);
		*ret = s;
	}
	free(a.raw);
	free(n.at);
	return rc;
}

struct search {
	gva_t hits[MAX_HITS];
	size_t nr;
};

static bool found_digits(void *arg, gva_t at)
{
	struct search *s = arg;

	s->hits[s->nr++] = at;
	return s->nr < MAX_HITS;
}

int symbols_from_kallsyms(struct guest *g, struct symbols **ret, struct err *err)
{
	static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
	uint64_t steps = MAX_STEPS;
	struct window in;
	size_t i, nr = 0;
	unsigned k;
	int rc = 0;

	for (k = 0; !rc && window_at(g, k, &in); k++) {
		struct search search = {.nr = 0};

		window_search(g, in, digits, sizeof(digits), found_digits, &search);
		for (i = 0; i < search.nr && !rc && steps; i++)
			rc = try_hit(g, search.hits[i], &steps, ret, err);
		nr += search.nr;
	}
	if (rc)
		return rc == 1 ? 0 : -1;
	if (!nr)
		return err_set(err, ERR_NOTFOUND, "no kallsyms token table in the kernel image");
	return err_set(err, ERR_NOTFOUND,
		"%zu places look like a kallsyms token table, none has a name table", nr);
}
