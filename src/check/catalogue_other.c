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
};

const struct rule_rows catalogue_other = {rows, ARRAY_SIZE(rows)};
