/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The catalogue, XB20x and XB21x netbsd-xbd, XB25x xenlinux, XB3xx linux-blkfront. Ascending by id.
 */
#include "check/catalogue_rows.h"

static const struct rule rows[] = {
	{
		.id = "XB201",
		.severity = SEVERITY_ERROR,
		.summary = "this driver resumes with sectors that it never recorded",
		.explanation =
			"NetBSD's recovery ring copies the device twice and the sector never, so "
			"that each pending request goes to whatever sector stood in uninitialised "
			"memory. Every pending write destroys data. It makes no difference that "
			"the sectors could be recovered: the driver does not know them.",
		.remedy =
			"Do not resume this checkpoint. Replay the pending requests to the disk "
			"(xbdsnap replay), boot the guest from it, and save the next time when no "
			"request is pending (after sync, with the disks idle).",
	},
	{
		.id = "XB202",
		.severity = SEVERITY_ERROR,
		.summary = "the sector of a pending request is lost",
		.explanation =
			"Neither the shared ring nor the driver's own request has it any more, so "
			"this request cannot be replayed.",
		.remedy = "Replay the others. Check the file system before you use the disk.",
	},
	{
		.id = "XB203",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request does not point into the driver's array of requests",
		.explanation = "The driver would follow the pointer when the answer comes.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB204",
		.severity = SEVERITY_ERROR,
		.summary = "more requests are pending than the driver can have",
		.explanation =
			"The driver owns 63 requests. The recovery ring is damaged, or was found "
			"in the wrong place.",
		.remedy = "Do not resume the guest. Compare with dump --kernel FILE.",
	},
	{
		.id = "XB205",
		.severity = SEVERITY_ERROR,
		.summary =
			"a slot stands on the ring more than once (request made during recovery)",
		.explanation =
			"The driver does not stop requests while it recovers: one that comes in "
			"between is put on the ring twice. The second answer retires a free slot "
			"and damages the list.",
		.remedy = "Do not resume the guest. Replay the pending requests and boot instead.",
	},
	{
		.id = "XB206",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request names a frame below the driver's offset",
		.explanation =
			"The driver adds 1 MiB to each frame that it records. A smaller value "
			"cannot have been written by it; on resume it would read before the start "
			"of its table.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB207",
		.severity = SEVERITY_WARNING,
		.summary = "the driver was recovering when it was saved",
		.explanation =
			"Some of the requests may have been issued already, on a ring that is "
			"gone.",
		.remedy = "Replay is safe for requests that stand in the shadow; check the file "
			  "system afterwards.",
	},
	{
		.id = "XB208",
		.severity = SEVERITY_NOTE,
		.summary = "the driver has no recovery ring yet",
		.explanation =
			"The guest was saved before its block interface was connected for the "
			"first time. Nothing can be pending.",
		.remedy = "None is needed.",
	},
	{
		.id = "XB209",
		.severity = SEVERITY_ERROR,
		.summary = "the recovery ring is there but could not be read",
		.explanation =
			"Its pages are not in the checkpoint, the kernel file does not fit the "
			"guest, or several pages look alike. Requests may be pending that are not "
			"shown.",
		.remedy = "Name the kernel that the guest runs (--kernel FILE), or try "
			  "--locate=scan. Do not resume the guest before it is settled.",
	},
	{
		.id = "XB210",
		.severity = SEVERITY_WARNING,
		.summary = "the kernel file and the structure of memory lead to different requests",
		.explanation =
			"Two independent ways to find the recovery ring do not agree. What is "
			"shown follows the kernel file, unless that leads to nothing like a "
			"recovery ring.",
		.remedy = "Make sure that it is the kernel that the guest runs; compare with "
			  "--locate=scan.",
	},
	{
		.id = "XB211",
		.severity = SEVERITY_WARNING,
		.summary = "the sources of a pending request's sector contradict each other",
		.explanation =
			"The shared ring and the driver's own request tell different sectors, or "
			"the ring holds another request in its place. The sector counts as lost.",
		.remedy = "Compare with the applications or the file system of the guest.",
	},
	{
		.id = "XB212",
		.severity = SEVERITY_WARNING,
		.summary = "the driver's own request contradicts the recovery ring",
		.explanation =
			"Its length, its parent or its counts do not fit the logged segments. The "
			"driver would complete the wrong number of bytes.",
		.remedy = "Do not resume the guest. Do not trust this request.",
	},
	{
		.id = "XB213",
		.severity = SEVERITY_WARNING,
		.summary = "nothing points to the recovery ring",
		.explanation =
			"The driver reaches it through a variable. That was damaged, or is not in "
			"the checkpoint, or the ring is a left-over of an earlier kernel.",
		.remedy = "Name the kernel that the guest runs (--kernel FILE). Do not resume the "
			  "guest before it is settled.",
	},
	{
		.id = "XB214",
		.severity = SEVERITY_WARNING,
		.summary = "the shared ring was not found",
		.explanation =
			"The page that the driver shares with the backend is not in the "
			"checkpoint, or does not look like it any more. What stands there could "
			"not be compared with the recovery ring.",
		.remedy = "Name the kernel that the guest runs (--kernel FILE), or look for a more "
			  "complete checkpoint.",
	},
	{
		.id = "XB215",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request is for a disk that the driver does not have",
		.explanation =
			"The number of its device is not in the driver's table of disks. The slot "
			"is damaged.",
		.remedy = "Do not resume the guest. Compare the request with the shared ring in "
			  "dump -v.",
	},
	{
		.id = "XB251",
		.severity = SEVERITY_ERROR,
		.summary = "all slots of the log are in use, which resume does not survive",
		.explanation =
			"Linux on Xen 2.0 makes its list of free slots anew when it resumes and "
			"ends it in the last slot, also when a request has that one. The request "
			"loses its pointer, the guest follows a bad one when the answer comes, and "
			"the next request is logged behind the array.",
		.remedy = "Do not resume this checkpoint. Replay the pending writes to the disk "
			  "(xbdsnap replay) and boot the guest from it.",
	},
	{
		.id = "XB252",
		.severity = SEVERITY_WARNING,
		.summary = "a probe for disks is pending",
		.explanation =
			"Its answer is written to the stack of the task that asked. It is posted "
			"again on resume, where the target may have other disks.",
		.remedy = "None is needed if the guest was saved while it waited.",
	},
	{
		.id = "XB253",
		.severity = SEVERITY_WARNING,
		.summary = "the driver was recovering when it was saved",
		.explanation =
			"Some of the requests may have been issued already, on a ring that is "
			"gone.",
		.remedy = "Replay is safe for requests that stand in the log; check the file "
			  "system afterwards.",
	},
	{
		.id = "XB301",
		.still = true,
		.severity = SEVERITY_WARNING,
		.summary = "a pending request is not in the state \"waiting\"",
		.explanation =
			"The driver was building it or completing it when the guest stopped, "
			"which a proper suspension rules out.",
		.remedy = "If this is the image of a crashed guest, do not trust this request.",
	},
	{
		.id = "XB302",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request claims to be half of a split one",
		.explanation =
			"Only guests whose pages are larger than 4 KiB split a request over two "
			"slots, and no guest of a checkpoint has such pages. The driver would "
			"complete it together with the other slot, wrongly or never.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB303",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "two slots belong to the same request of the block layer",
		.explanation =
			"Both answers complete the same structure, which is used again after the "
			"first.",
		.remedy = "Do not resume the guest.",
	},
	{
		.id = "XB304",
		.severity = SEVERITY_NOTE,
		.summary = "a pending write was changed since its copy for the backend was made",
		.explanation =
			"The driver copies data into pages that it shares with the backend when it "
			"issues a request. The owner of the data may go on writing to it: mapped "
			"files, swap and direct I/O of databases do. Resume copies anew, so that "
			"it "
			"and replay both write the newer data, and the owner writes again what is "
			"newer still. The source host may have written the older.",
		.remedy = "None needed.",
	},
	{
		.id = "XB305",
		.severity = SEVERITY_NOTE,
		.summary = "more requests wait in the guest's block layer",
		.explanation = "They were never given to the backend and are issued when the guest "
			       "resumes.",
		.remedy = "None needed.",
	},
	{
		.id = "XB306",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "the descriptors and the scatter list of a request disagree",
		.explanation =
			"The driver made the descriptors from the list. The backend was asked for "
			"other bytes than those that the guest issues again.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB307",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "the slot and the block layer's request ask for different things",
		.explanation =
			"The sector, the operation or the pages. The driver makes the slot from "
			"the "
			"request, so that one of the two was overwritten. Linux resumes from the "
			"request, and what is shown and replayed is the slot.",
		.remedy = "Do not resume the guest before you know why. Compare the request with "
			  "the shared ring in dump -v.",
	},
	{
		.id = "XB308",
		.severity = SEVERITY_ERROR,
		.summary = "a pending request does not point to a request of the block layer",
		.explanation = "The driver follows the pointer on resume, and the guest crashes.",
		.remedy = "Do not resume the guest. Compare with dump --kernel FILE.",
	},
	{
		.id = "XB309",
		.severity = SEVERITY_WARNING,
		.summary = "a pending request is for another device than its ring",
		.explanation =
			"The driver writes its own number into each request. The slot may be "
			"damaged; backends ignore the number.",
		.remedy = "Compare with dump --kernel FILE.",
	},
	{
		.id = "XB310",
		.severity = SEVERITY_ERROR,
		.summary = "the kernel's symbols and the structural scan give different requests",
		.explanation =
			"Two independent ways to the driver's structures should end at the same "
			"place. One of them was misled, and nothing says that the other was not.",
		.remedy = "Compare --locate=symbols with --locate=scan; do not resume the guest "
			  "before you know which is right.",
	},
	{
		.id = "XB311",
		.severity = SEVERITY_ERROR,
		.summary = "a shadow ring, or a part of it, could not be read",
		.explanation =
			"Its pages are not in the checkpoint, or its structure contradicts itself. "
			"Requests that may stand there are not shown.",
		.remedy = "Look for another copy of the file.",
	},
	{
		.id = "XB312",
		.severity = SEVERITY_WARNING,
		.summary = "the file given with --kernel does not belong to this guest",
		.explanation =
			"Its addresses lead to something else in the guest's memory, also when "
			"all of them are moved as far as a kernel can be, or its build id is "
			"another one. Neither its symbols nor its types were used.",
		.remedy = "Give the file of the running kernel, or none.",
	},
	{
		.id = "XB313",
		.severity = SEVERITY_WARNING,
		.summary = "the driver's list of devices breaks off",
		.explanation =
			"A pointer in it leads nowhere. Devices behind that place are shown only "
			"if the structural scan finds them.",
		.remedy = "Compare the devices with the guest's configuration.",
	},
	{
		.id = "XB314",
		.severity = SEVERITY_WARNING,
		.summary = "a kernel of this version may mistake a pending request when it resumes",
		.explanation =
			"Linux 4.8 to 4.12 ask the wrong slot whether a request is a flush or a "
			"discard. With that slot free the guest crashes; with another kind in it, "
			"a flush or discard is lost, or a write goes back as one. Kernels of "
			"distributions may have the correction.",
		.remedy = "Do not resume this checkpoint unless the kernel has the correction; "
			  "replay the writes and boot from the disk.",
	},
	{
		.id = "XB315",
		.severity = SEVERITY_WARNING,
		.summary = "a kernel of this version may lose requests when the number of rings "
			   "changes",
		.explanation = "Linux 4.5 to 4.7 make their rings anew when they resume. Requests "
			       "of a ring that is no more are not issued again. Kernels of "
			       "distributions may have the correction.",
		.remedy = "Set multi-queue-max-queues of the target's backend to what it was.",
	},
	{
		.id = "XB316",
		.severity = SEVERITY_ERROR,
		.summary = "resume sends an old copy of a pending write",
		.explanation =
			"As XB304, but this driver gives the backend the copies again that it made "
			"when it issued the request. Newer data that reached the disk meanwhile, "
			"by "
			"a replay or on the source host, is overwritten with older.",
		.remedy = "Replay the pending requests to the disk and boot the guest from it, or "
			  "resume it without a replay.",
	},
	{
		.id = "XB317",
		.severity = SEVERITY_ERROR,
		.summary = "the driver failed to resume, and has no rings any more",
		.explanation =
			"It gave up its rings and found no memory for new ones. What was pending "
			"then is in the guest's memory without a place in any ring, and is not "
			"shown; some kernels (4.x) use the rings that are gone when they resume "
			"once more.",
		.remedy = "Do not resume the guest. Take the checkpoint that it was restored from.",
	},
	{
		.id = "XB318",
		.severity = SEVERITY_WARNING,
		.summary = "a kernel of this version may find no memory to resume with",
		.explanation =
			"Linux 4.18 to 5.6 want a contiguous list of the segments of each slot "
			"when "
			"they resume, and cannot wait for one. Without it the disk is dead, and "
			"what was pending is never issued again. It takes many segments for the "
			"list to be longer than a page. Kernels of distributions may have the "
			"correction (xen/blkfront: fix memory allocation flags in "
			"blkfront_setup_indirect()).",
		.remedy = "Set max_indirect_segments of the target's backend to 128 or less, or "
			  "keep the checkpoint until the guest has its disk again.",
	},
	{
		.id = "XB319",
		.severity = SEVERITY_NOTE,
		.summary = "guests with a kernel of this version were seen to hang after they "
			   "resumed",
		.explanation = "Linux 4.4 with much on the way to its disks (Ubuntu 16.04, xcp-ng "
			       "issue 347). Why is not known, so that nothing in the checkpoint "
			       "tells whether this one will.",
		.remedy = "Keep the checkpoint until the guest has been seen to write.",
	},
	{
		.id = "XB320",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "the frames and the grants of a request name different pages",
		.explanation =
			"Linux 3.8 and 3.9 note the page that they granted in the slot and in the "
			"grant. Resume grants the one in the slot again, and copies what was read "
			"from the one of the grant.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB321",
		.still = true,
		.severity = SEVERITY_ERROR,
		.summary = "a pending request uses a grant that the guest holds for free",
		.explanation = "The kernel's list of free grants (gnttab_list) has it. It would be "
			       "given to "
			       "somebody else as well, and a backend would read or write another "
			       "page than "
			       "it was asked to.",
		.remedy = "Do not resume the guest before you know why.",
	},
	{
		.id = "XB322",
		.still = true,
		.severity = SEVERITY_WARNING,
		.summary = "a backend keeps pages that the guest wanted back",
		.explanation =
			"The guest ended grants of a device while the backend had them mapped "
			"(\"g.e. still in use\", \"deferring g.e.\"; Qubes issue 1328) and has put "
			"the pages aside. What the backend still writes there after the save is "
			"not "
			"in the checkpoint. After a restore nobody has them mapped, and the guest "
			"takes the pages back.",
		.remedy = "Look for a device of the guest that was detached, and for the backend "
			  "that was slow to let go.",
	},
};

const struct rule_rows catalogue_driver = {rows, ARRAY_SIZE(rows)};
