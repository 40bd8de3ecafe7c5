/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The catalogue, XB4xx disks, XB5xx the target host, XB6xx order. Ascending by id.
 */
#include "check/catalogue_rows.h"

static const struct rule rows[] = {
	{
		.id = "XB401",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request goes beyond the end of the disk given",
		.explanation = "The backend refuses it, and the guest sees an I/O error.",
		.remedy = "Give the guest the disk that it was saved with.",
	},
	{
		.id = "XB402",
		.severity = SEVERITY_ERROR,
		.summary = "the disk is smaller than the guest knows it",
		.explanation = "What lies behind the end is lost to the guest.",
		.remedy = "Give the guest the disk that it was saved with.",
	},
	{
		.id = "XB403",
		.severity = SEVERITY_WARNING,
		.summary = "the disk is larger than the guest knows it",
		.explanation = "It may have been grown since, or be another disk.",
		.remedy = "Make sure that it is the right disk.",
	},
	{
		.id = "XB404",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request is not made of whole blocks of the disk",
		.explanation =
			"The disk has larger blocks than the one that the guest was saved with; "
			"the request fails.",
		.remedy = "Give the guest a disk with the same block size.",
	},
	{
		.id = "XB405",
		.severity = SEVERITY_WARNING,
		.summary = "the disk has another block size than the guest knows",
		.explanation = "Requests that the guest makes later may fail.",
		.remedy = "Give the guest a disk with the same block size.",
	},
	{
		.id = "XB406",
		.severity = SEVERITY_ERROR,
		.summary = "the disk does not hold the file system that the guest has mounted",
		.explanation = "It is another disk. The guest would write its cached metadata over "
			       "whatever lies there.",
		.remedy = "Give the guest the disk that it was saved with.",
	},
	{
		.id = "XB407",
		.severity = SEVERITY_ERROR,
		.summary = "the disk was written since the checkpoint was saved",
		.explanation =
			"The guest's caches describe the disk as it was. When it goes on, it "
			"writes old metadata over new, which destroys the file system: the "
			"classic way to lose one.",
		.remedy = "Do not resume the checkpoint with this disk. Boot from the disk, or use "
			  "a snapshot that was taken together with the checkpoint.",
	},
	{
		.id = "XB408",
		.severity = SEVERITY_ERROR,
		.summary = "the disk is in use on this host",
		.explanation = "Something else reads or writes it: a mount, another device, a "
			       "program. When the guest goes on beside it, each destroys what "
			       "the other wrote. A domain that has the disk by now, even this "
			       "one, looks the same.",
		.remedy = "Unmount it, or end what uses it. With the domain restored by now, give "
			  "--domid.",
	},
	{
		.id = "XB409",
		.severity = SEVERITY_ERROR,
		.summary = "the disk does not hold what the guest remembers of it",
		.explanation =
			"The guest's memory has clean copies of these sectors: it had read them or "
			"seen its writes complete, and no write of it is in flight there. So they "
			"were changed since the checkpoint was saved, or it is another disk.",
		.remedy = "Give the guest the disk as it was when the checkpoint was saved.",
	},
	{
		.id = "XB501",
		.severity = SEVERITY_ERROR,
		.summary = "the target maps no frame for a page of a pending request",
		.explanation =
			"The backend of the target cannot reach the page; the request fails.",
		.remedy = "Check that the table or the domain belongs to this checkpoint.",
	},
	{
		.id = "XB502",
		.severity = SEVERITY_WARNING,
		.summary = "the target drops a pending flush",
		.explanation =
			"Without feature-flush-cache and barriers, the block layer of the guest "
			"answers a flush by itself: data that the guest believes durable is not.",
		.remedy =
			"Use a backend that flushes, or sync the disk in the host after the guest "
			"resumed.",
	},
	{
		.id = "XB503",
		.severity = SEVERITY_WARNING,
		.summary = "the target does not take a pending barrier",
		.explanation =
			"The request fails with \"not supported\", and the guest goes on without "
			"order.",
		.remedy = "Use a backend with feature-barrier, or drain the guest before the save.",
	},
	{
		.id = "XB504",
		.severity = SEVERITY_WARNING,
		.summary = "the target does not take a pending discard",
		.explanation =
			"The request fails with \"not supported\". The space is not released; no "
			"data is at risk.",
		.remedy = "Trim the file system again after the restore.",
	},
	{
		.id = "XB505",
		.severity = SEVERITY_WARNING,
		.summary = "the target does not take a pending secure discard",
		.explanation =
			"It does plain discards only, so data that should be destroyed stays "
			"readable, or the request fails.",
		.remedy = "Destroy the data again after the restore.",
	},
	{
		.id = "XB506",
		.severity = SEVERITY_ERROR,
		.summary = "the target's disk is read-only, but writes are pending",
		.explanation = "Each of them fails, and the guest's file system turns read-only or "
			       "panics.",
		.remedy = "Attach the disk with mode w.",
	},
	{
		.id = "XB507",
		.severity = SEVERITY_NOTE,
		.summary = "the target splits a pending request",
		.explanation =
			"The request has more segments than one request of the target can carry, "
			"so the guest makes several of it. They are no longer written in one go.",
		.remedy = "None needed.",
	},
	{
		.id = "XB508",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request is not made of whole blocks of the target's disk",
		.explanation = "The backend of the target refuses it.",
		.remedy = "Attach a disk with the same block size.",
	},
	{
		.id = "XB509",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request goes beyond the end of the target's disk",
		.explanation = "The backend of the target refuses it.",
		.remedy = "Attach the disk that the guest was saved with.",
	},
	{
		.id = "XB510",
		.severity = SEVERITY_NOTE,
		.summary = "the target offers fewer queues than the guest has rings with requests",
		.explanation =
			"The guest issues all of them on the rings that it gets. Linux 4.5 to 4.7 "
			"loses some then, of which XB315 warns.",
		.remedy = "None needed.",
	},
	{
		.id = "XB511",
		.severity = SEVERITY_NOTE,
		.summary = "the target's rings are smaller",
		.explanation = "The guest resumes with fewer requests in flight at a time.",
		.remedy = "None needed.",
	},
	{
		.id = "XB520",
		.severity = SEVERITY_ERROR,
		.summary = "a page of the restored domain is not what the checkpoint holds",
		.explanation =
			"The page belongs to a pending request or to its ring. Something changed "
			"it after the restore, or the domain was restored from another file.",
		.remedy = "Destroy the domain and restore it again.",
	},
	{
		.id = "XB521",
		.severity = SEVERITY_ERROR,
		.summary = "a page of the restored domain could not be compared",
		.explanation = "The frame is not mapped, or Xen refused to show it.",
		.remedy = "Check that the domain was restored from this checkpoint.",
	},
	{
		.id = "XB522",
		.severity = SEVERITY_WARNING,
		.summary = "the target's table of frames contradicts the hypervisor",
		.explanation =
			"The domain's own table, by which the frames of the target are found, was "
			"compared with what Xen knows of each frame. Entries that name frames of "
			"others count as missing.",
		.remedy = "Ask again while the domain is paused. Do not emit a ring for it.",
	},
	{
		.id = "XB523",
		.severity = SEVERITY_WARNING,
		.summary = "the target's table names frames more than once",
		.explanation =
			"A frame belongs to one page of a guest. A table that names some twice was "
			"written while its domain ran, or is not whole: what it says of the others "
			"is in doubt too.",
		.remedy = "Write it again while the domain is paused: p2m --domid.",
	},
	{
		.id = "XB601",
		.severity = SEVERITY_NOTE,
		.summary = "two pending writes go to the same place",
		.explanation =
			"Direct writes of one block, or one of them beside write-back. Neither was "
			"reported to the guest as done, so the data of either may stay, with or "
			"without the restore: a program that cares waits for the first. A discard "
			"counts as a write.",
		.remedy = "None needed.",
	},
	{
		.id = "XB602",
		.severity = SEVERITY_NOTE,
		.summary = "a pending read and a pending write go to the same place",
		.explanation =
			"The guest reads the data from before or after the write, as it would have "
			"without the restore: read-ahead beside a direct write does this.",
		.remedy = "None needed.",
	},
	{
		.id = "XB603",
		.severity = SEVERITY_NOTE,
		.summary = "writes are pending beside a flush",
		.explanation =
			"The flush promises nothing about writes that were not complete when it "
			"was made. It is issued again beside them.",
		.remedy = "None needed.",
	},
	{
		.id = "XB604",
		.severity = SEVERITY_WARNING,
		.summary = "writes are pending beside a barrier",
		.explanation =
			"The guest's block layer makes writes behind a barrier without waiting for "
			"it, and counts on their order. Resume issues them without that order.",
		.remedy = "If the host fails before all are written, check the file system.",
	},
	{
		.id = "XB605",
		.severity = SEVERITY_ERROR,
		.summary = "two pending writes whose order counts go to the same place",
		.explanation =
			"There is a barrier beside them (XB604), so that the guest may have made "
			"the "
			"second knowing that it comes after the first. Resume issues them in the "
			"order of their slots: the older data may win.",
		.remedy = "Replay the writes to a copy of the disk, in the right order "
			  "(replay --plan), and check the file system.",
	},
};

const struct rule_rows catalogue_host = {rows, ARRAY_SIZE(rows)};
