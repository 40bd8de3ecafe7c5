/* SPDX-License-Identifier: BSD-2-Clause
 *
 * allow.h - what makes a replay refuse, unless the user allows it: names for options, errors and
 * hints alike.
 */
#ifndef XB_REPLAY_ALLOW_H
#define XB_REPLAY_ALLOW_H

/* ID, the user's name for it, and what happens when it is allowed. */
#define REPLAY_ALLOWS(X)                                                                           \
	X(FINDINGS, "findings", "goes on all the same") /* an error that the rules found */        \
	X(CAPACITY, "capacity", "goes on all the same") /* the guest knows another size */         \
	X(IDENTITY, "identity", "goes on all the same") /* not the guest's file system */          \
	X(CHANGED, "changed", "goes on all the same")	/* the disk was written since */           \
	X(IN_USE, "in-use", "goes on all the same")                                                \
	X(OVERLAP, "overlap", "takes the plan's order") /* whose order counts */                   \
	X(SIZE, "size", "leaves it out")		/* a request beyond the end */             \
	X(HOLE, "hole", "leaves it out")		/* data or place unknown */

#define REPLAY_ALLOW_NR(id, name, effect)  REPLAY_ALLOW_NR_##id,
#define REPLAY_ALLOW_BIT(id, name, effect) REPLAY_ALLOW_##id = 1u << REPLAY_ALLOW_NR_##id,
/* "findings|capacity|..." */
#define REPLAY_ALLOW_WORD(id, name, effect) "|" name
#define REPLAY_ALLOW_WORDS		    (&REPLAY_ALLOWS(REPLAY_ALLOW_WORD)[1])

enum { REPLAY_ALLOWS(REPLAY_ALLOW_NR) REPLAY_NR_ALLOWS };
enum { REPLAY_ALLOWS(REPLAY_ALLOW_BIT) };

/* 0: no such name. */
unsigned replay_allow_by_name(const char *name);
const char *replay_allow_name(unsigned bit);

#endif
