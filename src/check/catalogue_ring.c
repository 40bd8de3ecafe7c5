/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The catalogue, XB1xx: rings, slots and requests of any frontend. Ascending by id.
 */
#include "check/catalogue_rows.h"

static const struct rule rows[] = {
	{
		.id = "XB101",
		.severity = SEVERITY_ERROR,
		.summary = "the free list of the shadow ring runs in a circle",
		.explanation =
			"Two requests would be given the same slot, or the driver would hang "
			"looking for the end of the list.",
		.remedy = "Do not resume the guest. Restore an older checkpoint, or replay the "
			  "pending requests to a copy of the disk and boot from it.",
	},
	{
		.id = "XB102",
		.severity = SEVERITY_ERROR,
		.summary = "the free list of the shadow ring leaves the array",
		.explanation =
			"The next request would be recorded outside the array, over other data of "
			"the guest.",
		.remedy = "Do not resume the guest. Replay the pending requests to a copy of the "
			  "disk and boot from it.",
	},
	{
		.id = "XB103",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "a slot holds a request and is on the free list too",
		.explanation =
			"The slot would be given to a second request. The answer to one would "
			"complete the other.",
		.remedy = "Do not resume the guest. Replay the pending requests to a copy of the "
			  "disk and boot from it.",
	},
	{
		.id = "XB104",
		.still = true,
		.severity = SEVERITY_WARNING,
		.summary = "a free slot is missing from the free list",
		.explanation =
			"The slot is lost until the next resume rebuilds the list. A lost slot "
			"makes the ring smaller, no more.",
		.remedy = "None needed; worth a report to the kernel's maintainer.",
	},
	{
		/* At a proper suspension no request is half-made: both counts change under the
		 * ring's lock, with interrupts off. The same goes for XB107. */
		.id = "XB105",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "the number of used slots is not the number of requests in flight",
		.explanation =
			"With more slots than requests a task of the guest waits for ever; with "
			"fewer, an answer arrives for a slot that is free.",
		.remedy = "Do not resume the guest before you know why. Look at the requests with "
			  "dump -v.",
	},
	{
		.id = "XB106",
		.severity = SEVERITY_ERROR,
		.summary = "more requests in flight than the ring has entries",
		.explanation =
			"The private indices of the driver are damaged, or the ring was found in "
			"the wrong place.",
		.remedy = "Do not resume the guest. Compare with dump --kernel FILE, which finds "
			  "the ring another way.",
	},
	{
		.id = "XB107",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "the indices of the shared ring contradict those of the driver",
		.explanation =
			"Requests are published that the driver never made, or answers stand for "
			"requests that were never published. Or requests of a Linux guest are not "
			"published, which happens within its driver's lock only.",
		.remedy = "Do not resume the guest before you know why: the ring may belong to "
			  "another instance of the driver.",
	},
	{
		.id = "XB108",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "an answer in the ring is for a slot without a request",
		.explanation =
			"The driver would complete a request that does not exist. The ring or the "
			"shadow is damaged.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB109",
		.severity = SEVERITY_ERROR,
		.summary = "an answer in the ring names a slot that does not exist",
		.explanation =
			"The backend wrote nonsense, or the ring was found in the wrong place.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB110",
		.severity = SEVERITY_ERROR,
		.summary = "an answer in the ring is for another operation than the slot holds",
		.explanation = "The answer belongs to another request: the slot was used again too "
			       "early.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB111",
		.severity = SEVERITY_ERROR,
		.summary = "two answers in the ring are for the same slot",
		.explanation = "The second would complete a request that is already gone.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB112",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "a slot stands on the ring more than once",
		.explanation =
			"Two answers will come for one request; the second completes a free slot.",
		.remedy = "Do not resume the guest. Replay the pending requests and boot instead.",
	},
	{
		/* Of answers that came out of order older entries are left; they are not compared.
		 */
		.id = "XB113",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "the shared ring and the shadow disagree about a request",
		.explanation =
			"The backend was asked for something else than what the driver will issue "
			"again.",
		.remedy = "Do not resume the guest. Compare both with dump -v and decide which one "
			  "is right.",
	},
	{
		.id = "XB114",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request has an operation that the protocol does not know",
		.explanation =
			"The slot is damaged, or the layout of the driver's structures is not "
			"what was assumed.",
		.remedy = "Do not resume the guest. Compare with dump --kernel FILE.",
	},
	{
		.id = "XB115",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request has more segments than can be",
		.explanation = "The request would run over the end of its descriptors.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB116",
		.severity = SEVERITY_ERROR,
		.summary = "a segment ends before it begins, or behind its page",
		.explanation =
			"Backends refuse such a request, and old ones computed a negative length.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB117",
		.severity = SEVERITY_ERROR,
		.summary = "a pending read, write or discard moves nothing",
		.explanation = "A request without sectors is never made by the driver: the slot is "
			       "damaged.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB118",
		.severity = SEVERITY_ERROR,
		.summary = "a segment is not made of whole sectors inside one page",
		.explanation = "The protocol moves sectors of 512 bytes within a page. The slot's "
			       "description of memory is damaged.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB119",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request uses a page that the guest does not have",
		.explanation = "The page lies behind the end of the guest's memory. Restored, the "
			       "request would move data of a page that is not the guest's own.",
		.remedy = "Do not resume the guest.",
	},
	{
		/* A page under I/O is pinned: it is neither swapped out nor given back to the host.
		 */
		.id = "XB120",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request uses a page that is not in the checkpoint",
		.explanation =
			"The data of a write is lost, and a read has no place to go. The guest "
			"gives another page's content to the disk, or fails.",
		.remedy = "Look for a more complete checkpoint. dump lists the pages.",
	},
	{
		.id = "XB121",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request uses a page that the guest itself has not mapped",
		.explanation =
			"The guest's table from pseudo-physical to machine frames has no frame "
			"for the page: it had been given back, or the slot is damaged.",
		.remedy = "Do not resume the guest.",
	},
	{
		/* Nor one that was a page table before: for Xen a page is either that or writable,
		 * and Linux maps a page writable again when it frees the table. */
		.id = "XB122",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request uses a page table as its buffer",
		.explanation =
			"Xen does not let a backend write to page tables: the request fails. If "
			"it did not, the guest would crash.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB123",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request uses a page with a special purpose as its buffer",
		.explanation =
			"A shared ring, the p2m table, start_info and the rings of console, "
			"xenstore and emulator never carry disk data. The restore overwrites some "
			"of them.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB124",
		.severity = SEVERITY_NOTE,
		.summary = "two pending reads fill the same bytes of memory",
		.explanation =
			"Direct reads into one buffer: of a program that measures, or throws the "
			"data away. The last answer wins, with or without the restore. Of a "
			"damaged "
			"slot other rules tell (XB113, XB307).",
		.remedy = "None needed.",
	},
	{
		.id = "XB125",
		.severity = SEVERITY_NOTE,
		.summary = "a pending read fills memory that a pending write sends to the disk",
		.explanation =
			"Direct reads and writes of one buffer. What reaches the disk depends on "
			"which of them is served first, with or without the restore.",
		.remedy = "None needed.",
	},
	{
		.id = "XB126",
		.severity = SEVERITY_WARNING,
		.summary = "a slot carries another id than its own number",
		.explanation =
			"The driver sets the id to the number of the slot. A half-built request "
			"looks like this.",
		.remedy = "Compare the request with the shared ring in dump -v.",
	},
	{
		.id = "XB127",
		.severity = SEVERITY_WARNING,
		.summary = "a pending request uses a reserved grant",
		.explanation =
			"The first eight grant references belong to the console and xenstore.",
		.remedy = "None needed: grants are made anew on resume. The slot may be damaged.",
	},
	{
		.id = "XB128",
		.severity = SEVERITY_WARNING,
		.summary = "one grant is used twice",
		.explanation =
			"Every page in flight has a grant of its own. The slot may be damaged.",
		.remedy = "None needed: grants are made anew on resume. Compare with dump --kernel "
			  "FILE.",
	},
	{
		.id = "XB130",
		.severity = SEVERITY_WARNING,
		.summary = "the device is not connected",
		.explanation =
			"Requests of a device that is being set up or torn down may be lost, or "
			"issued twice.",
		.remedy = "Look at the device's log in the guest after the restore.",
	},
	{
		.id = "XB131",
		.severity = SEVERITY_NOTE,
		.summary = "a flush or barrier is pending",
		.explanation =
			"The guest has not been told that its data is durable. It asks again "
			"after it resumes.",
		.remedy = "None needed.",
	},
	{
		.id = "XB132",
		.severity = SEVERITY_WARNING,
		.summary = "a pending request could not be read completely",
		.explanation = "What could not be read could not be checked either.",
		.remedy = "See the reason. A more complete checkpoint, or --kernel FILE, may help.",
	},
	{
		.id = "XB133",
		.severity = SEVERITY_ERROR,
		.summary = "a part of the driver's record of requests is not in the checkpoint",
		.explanation =
			"The driver reads it on resume. Without it, requests are lost or made up.",
		.remedy = "Look for a more complete checkpoint.",
	},
	{
		.id = "XB134",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request changes a disk that is read-only",
		.explanation =
			"The guest issues it anew, and its block layer or the backend refuses "
			"it then: the data is lost.",
		.remedy = "Find out whether the disk was writable when the guest was saved.",
	},
	{
		.id = "XB135",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request goes beyond the end of the disk",
		.explanation = "The guest believes the disk to be smaller than that. The slot is "
			       "damaged, or the disk was shrunk under the guest.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB136",
		.severity = SEVERITY_NOTE,
		.summary = "a request was answered, but the guest has not seen it",
		.explanation =
			"The answer is lost with the ring; the guest issues the request again. "
			"That does no harm unless something else wrote to the same place since.",
		.remedy = "Make sure that nothing else uses the disk.",
	},
};

const struct rule_rows catalogue_ring = {rows, ARRAY_SIZE(rows)};
