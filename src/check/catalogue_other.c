/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The catalogue, XB8xx frontends that keep no shadow to resume from, and unknown ones. Ascending by
 * id.
 */
#include "check/catalogue_rows.h"

static const struct rule rows[] = {
	{
		.id = "XB801",
		.severity = SEVERITY_WARNING,
		.summary = "requests are pending of a driver that nobody here knows",
		.explanation =
			"They were read from the ring that the driver shares with its backend. "
			"What the driver itself keeps, whether it issues them again when it "
			"resumes, and in which order, is not known; nor where their data lies, "
			"unless the grant table says so. The verdict is 'undetermined'.",
		.remedy = "Save again when the guest's disks are idle. If that cannot be, restore "
			  "the checkpoint with the disks as they were saved, and check the file "
			  "system.",
	},
	{
		.id = "XB802",
		.severity = SEVERITY_WARNING,
		.summary = "a shared ring does not show all that is pending",
		.explanation =
			"A backend may answer out of turn, and an answer is written over the "
			"oldest request of the ring, which need not be the one that it answers. "
			"Some of what is pending no longer stands in the ring; or there were more "
			"rings than a guest can have.",
		.remedy = "Expect requests that are not listed.",
	},
	{
		.id = "XB803",
		.severity = SEVERITY_ERROR,
		.summary = "a request is on the way of a driver that waits for all before it is "
			   "suspended",
		.explanation =
			"The driver lets its requests come to an end before it agrees to be "
			"suspended, and makes an empty ring when it resumes. What is on the way "
			"all the same is issued by nobody: its data is lost, and who waits for it "
			"waits for ever.",
		.remedy = "Do not resume the guest. Write the data to the disk (replay --write) "
			  "and boot from it, or save again.",
	},
	{
		.id = "XB804",
		.severity = SEVERITY_ERROR,
		.summary = "requests are on the way of a driver that knows of no suspension",
		.explanation =
			"Such a driver (Mini-OS, GRUB, Unikraft, OpenBSD) does not connect anew "
			"after a restore: its ring is gone, and what was on the way is lost, as "
			"is all that it asks for later.",
		.remedy = "Start the guest anew. Writes can be carried out before (replay "
			  "--write).",
	},
	{
		.id = "XB805",
		.severity = SEVERITY_ERROR,
		.summary = "a flush is on the way of a driver that waits for all but flushes",
		.explanation =
			"NetBSD's xbd waits until its disk is not busy, and a flush of the cache "
			"does not make it busy. The flush is dropped when the guest resumes, and "
			"who asked for it waits for ever; one request of the driver is lost.",
		.remedy = "Save again when the guest does not write, or boot it instead of "
			  "resuming it.",
	},
	{
		.id = "XB806",
		.severity = SEVERITY_ERROR,
		.summary = "the driver's count of requests on the way is not what its records hold",
		.explanation =
			"The driver counts each request that it puts on the ring. It waits for "
			"the count to fall to zero when it is suspended the next time.",
		.remedy = "Do not resume the guest: its records are damaged.",
	},
};

const struct rule_rows catalogue_other = {rows, ARRAY_SIZE(rows)};
