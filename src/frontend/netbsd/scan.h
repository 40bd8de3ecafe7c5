/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan.h - what the search by structure goes by, private to frontend/netbsd/.
 *
 * What the rules will judge must not be what is searched for: a damaged ring has to be found to be
 * reported. So nothing here is a yes or no. A page gets points for each slot that fits, and takes
 * no harm from some that do not; log, shared ring and the driver's variables vouch for each other.
 */
#ifndef XB_FRONTEND_NETBSD_SCAN_H
#define XB_FRONTEND_NETBSD_SCAN_H

#include "frontend/netbsd/xbd.h"

/* Of 64. One damaged word takes one slot, or two where it was a link. Pages that are no log reach
 * single figures. */
#define NB_LOG_MIN 40u

/* How much 64 slots look like the log. */
struct nb_log_points {
	unsigned used;	/* flawless used slots with pointers into one array of xbdreqs */
	unsigned links; /* free slots that lead to a free slot to which no other leads, or to the
			   end of the list */
};
struct nb_log_points nb_log_points(const struct nb_wire log[NB_SLOTS]);
/* The same of a page. False: not worth parsing, less than NB_LOG_MIN. */
bool nb_page_is_log(const uint8_t *page, struct nb_wire log[NB_SLOTS], struct nb_log_points *ret);

/* The log by the first segment of each slot. */
struct nb_log_index {
	const struct nb_wire *log;
	uint8_t slot[NB_SLOTS]; /* ascending by fas[0] */
};
void nb_log_index_init(struct nb_log_index *ret, const struct nb_wire log[NB_SLOTS]);

/* How much a page looks like the ring of that log. */
struct nb_ring_points {
	unsigned places; /* of 64: hold the segments of a slot, used or freed, as machine frames */
	unsigned live;	 /* used slots whose whole request stands there under their number */
};
/* The first words of the 64 places as the log would have them, 0 where they cannot be a segment.
 * The number of those that can. */
unsigned nb_ring_logged(const uint8_t *page, struct p2m *p2m, uint32_t logged[NB_SLOTS]);
struct nb_ring_points nb_ring_points(const uint8_t *page, const uint32_t logged[NB_SLOTS],
	const struct nb_log_index *index, struct p2m *p2m);

/* The variables of the driver: the words around one of them. */
#define NB_NEAR_BYTES 256u
#define NB_NEAR_WORDS (2 * NB_NEAR_BYTES / 4)
struct nb_statics {
	uint32_t first; /* address of word[0] */
	bool known[NB_NEAR_WORDS];
	uint32_t word[NB_NEAR_WORDS];
};
void nb_statics_read(struct guest *g, uint32_t rec_ring, struct nb_statics *ret);
bool nb_statics_has(const struct nb_statics *st, uint32_t word);
/*
 * req_prod and resp_cons of the driver: two neighbours for which two things hold at least, of the
 * ring's req_prod being theirs, its resp_prod lying between them, their distance being the number
 * of used slots, and rec_ring or blk_ring (place->ring_va) standing beside them. Both unknown when
 * no pair does, or pairs of different values.
 */
void nb_statics_indices(const struct nb_statics *st, uint32_t req_prod, uint32_t resp_prod,
	unsigned nr_used, struct nb_place *place);

/* vbd_info: beside rec_ring (`near`, may be NULL), or without a pointer to it. Fills place. */
void nb_find_vbds(struct guest *g, const struct nb_va_map *map, const struct nb_wire log[NB_SLOTS],
	const struct nb_statics *near, struct nb_place *place);

static inline uint32_t nb_va_of(const struct nb_va_map *map, pfn_t pfn)
{
	return pfn.v < map->nr ? map->va[pfn.v] : 0;
}

#endif
