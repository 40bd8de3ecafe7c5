/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The catalogue, XB0xx: the file and the stream. Ascending by id.
 */
#include "check/catalogue_rows.h"

static const struct rule rows[] = {
	{
		.id = "XB001",
		.severity = SEVERITY_ERROR,
		.summary = "the checkpoint is incomplete",
		.explanation =
			"The end marker of the stream was not found: the save failed half-way, "
			"or the file was cut. What was read before that point is shown, but "
			"nothing proves that it is all.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB002",
		.severity = SEVERITY_ERROR,
		.summary = "padding is not zero",
		.explanation =
			"Records are padded to a multiple of 8 bytes with zeros. Xen's restore "
			"skips the padding unseen, but Xen's own verifier refuses the file: a "
			"writer that leaves rubbish there is none of Xen's, or the file was "
			"damaged.",
		.remedy = "Find out which program wrote or changed the file, before you trust the "
			  "rest of it.",
	},
	{
		.id = "XB003",
		.severity = SEVERITY_ERROR,
		.summary = "a reserved field is not zero",
		.explanation =
			"The format keeps the field for later versions, so a newer writer may "
			"mean something by it that neither this reader nor an older Xen knows; or "
			"the file was damaged. Xen's own verifier refuses it.",
		.remedy = "Find out which program wrote or changed the file, before you trust the "
			  "rest of it.",
	},
	{
		.id = "XB004",
		.severity = SEVERITY_WARNING,
		.summary = "one batch lists a page twice",
		.explanation =
			"No writer of Xen's puts a page twice into one batch. The last copy is "
			"used, as a restore would.",
		.remedy = "Compare with another copy of the file, if there is one.",
	},
	{
		.id = "XB005",
		.severity = SEVERITY_ERROR,
		.summary = "records are out of order",
		.explanation =
			"A restore needs some records before others: the guest's width before its"
			" p2m, the p2m before pages, pages before vcpus. It stops where that does"
			" not hold.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB006",
		.severity = SEVERITY_ERROR,
		.summary = "a record does not belong into this stream",
		.explanation =
			"Some records exist only for PV guests, or only for HVM and PVH guests, "
			"or only since version 3 of the stream. A restore stops there; here it "
			"was skipped.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB007",
		.severity = SEVERITY_ERROR,
		.summary = "a record that a restore needs is missing",
		.explanation =
			"The stream has its end marker, but something without which the guest "
			"cannot run never came.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB008",
		.severity = SEVERITY_ERROR,
		.summary = "a record has the wrong size",
		.explanation = "The record's size contradicts its type. Nothing that is shown here "
			       "depends on it, but a restore refuses it.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB009",
		.severity = SEVERITY_ERROR,
		.summary = "the list of p2m frames does not fit its range",
		.explanation =
			"The record names a range of pfns and the frames of the table that covers"
			" them. Their number does not match, and a restore stops there.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB010",
		.severity = SEVERITY_ERROR,
		.summary = "a frame that a restore needs is not what it must be",
		.explanation =
			"The vcpu's top page table, its GDT, start_info and the p2m must be pages"
			" of the stream, page tables with the type of their level. Otherwise the "
			"restore fails, or the guest dies as it resumes.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB011",
		.severity = SEVERITY_NOTE,
		.summary = "an optional record of unknown type",
		.explanation =
			"The writer knows records that this reader does not. They are marked as "
			"safe to skip, and a restore of the libxc stream skips them.",
		.remedy = "Nothing to do.",
	},
	{
		.id = "XB012",
		.severity = SEVERITY_ERROR,
		.summary = "a mandatory record of unknown type",
		.explanation =
			"The writer says that the record must be understood, and this reader does"
			" not know it. It was skipped; what is shown may lack something. An older"
			" Xen refuses the file. libxl refuses every record that it does not know, "
			"one that is marked as optional too.",
		.remedy = "Restore it only with the Xen version that wrote it, or a newer one.",
	},
	{
		.id = "XB013",
		.severity = SEVERITY_NOTE,
		.summary = "bytes follow the end of the stream",
		.explanation =
			"On a block device that is normal. In a file it means that something was "
			"appended, or that an older, longer file was overwritten.",
		.remedy = "Nothing to do for a block device; else find out what wrote the rest.",
	},
	{
		.id = "XB014",
		.severity = SEVERITY_WARNING,
		.summary = "the configuration is missing or cannot be read",
		.explanation =
			"The domain's configuration is not in the checkpoint, or damaged, or too "
			"large. Name, disks and the kind of guest are then unknown; memory and "
			"vcpus are not affected. Without another configuration the restore fails.",
		.remedy = "Give the configuration by hand when you restore (xl restore CONFIG "
			  "FILE).",
	},
	{
		.id = "XB015",
		.severity = SEVERITY_ERROR,
		.summary = "the header of xl or libvirt does not fit the stream",
		.explanation =
			"The header announces features or a version that the tool does not know, "
			"another kind of stream than the one that follows, or more configuration "
			"than it has room for, or it is that of a machine of the other byte order. "
			"xl and libvirt refuse the file.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB016",
		.severity = SEVERITY_WARNING,
		.summary = "the last epoch is not complete",
		.explanation =
			"A checkpointed stream (Remus, COLO) sends the changes since the last "
			"epoch again and again. The file ends inside an epoch, so the state shown"
			" is that of the epoch before, as a failover would have it.",
		.remedy = "Nothing to do, if that is the state you want.",
	},
	{
		.id = "XB017",
		.severity = SEVERITY_NOTE,
		.summary = "the stream has checkpoints",
		.explanation =
			"It is that of a checkpointed migration (Remus, COLO). The state of its "
			"last complete epoch is shown. A restore that was not asked for such a "
			"stream, as that of xl restore, stops at the first checkpoint.",
		.remedy = "Take it in as the secondary host does (xl migrate-receive --remus).",
	},
	{
		.id = "XB018",
		.severity = SEVERITY_WARNING,
		.summary = "a core dump, not a saved guest",
		.explanation =
			"A core dump is of a guest that ran or had crashed. Nobody told its "
			"drivers "
			"to stop, so a ring and the driver's record of it may be seen in the "
			"middle "
			"of a change, and requests may have completed right after. Rules that "
			"compare "
			"what a driver changes one after the other are not evaluated. Xen cannot "
			"restore a core dump.",
		.remedy =
			"Take what is listed as pending for what was on its way when the dump was "
			"made. To go on with the guest, restore a saved image of it.",
	},
	{
		.id = "XB019",
		.severity = SEVERITY_WARNING,
		.summary = "the tables of a core dump contradict each other",
		.explanation =
			"The header, the table of pages and the registers of the vcpus must agree "
			"on "
			"how many there are, and a page has one machine frame that no other page "
			"has. "
			"A dump of a domain that was not paused (xl dump-core -L) can be so; a "
			"damaged file, too. A frame that two pages claim is taken for nobody's. "
			"Xen 3.0.0 leaves the "
			"last vcpu out of its dumps; the page tables are looked for then.",
		.remedy = "Make another dump, of a paused domain. If that is not possible, trust "
			  "nothing that hangs on a single page.",
	},
	{
		.id = "XB020",
		.severity = SEVERITY_ERROR,
		.summary = "the suspend record does not belong to the image",
		.explanation =
			"In a Xen 2.0 image ESI names the page in which the guest wrote how many "
			"pages it has. It is not the number in the image's header.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB021",
		.severity = SEVERITY_ERROR,
		.summary = "the HVM context is damaged",
		.explanation =
			"The hypervisor's own state of the guest (vcpus, interrupt controllers, "
			"timers) does not follow its format. Xen refuses to load it.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB022",
		.severity = SEVERITY_WARNING,
		.summary = "listed and missing pages do not add up",
		.explanation =
			"A Xen 2.0 image that was not saved live lists each page once, in a batch"
			" or as missing. A live image repeats pages and so lists more; one that "
			"lists fewer has lost some.",
		.remedy = "Compare with another copy of the file, if there is one.",
	},
	{
		.id = "XB023",
		.severity = SEVERITY_ERROR,
		.summary = "an emulator record is malformed",
		.explanation =
			"The state of the device emulator, or what it keeps in xenstore, does not "
			"follow its format. Memory and vcpus are not affected, but the restore "
			"stops there, or the emulator does not start after it.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB024",
		.severity = SEVERITY_ERROR,
		.summary = "more vcpus in the stream than in the configuration",
		.explanation =
			"The domain is made with the number of vcpus that the configuration names, "
			"then the stream loads a vcpu beyond it. The restore fails there.",
		.remedy = "Restore with a configuration that has enough vcpus.",
	},
	{
		.id = "XB025",
		.severity = SEVERITY_ERROR,
		.summary = "a record that newer versions of Xen refuse",
		.explanation =
			"Data of the tool stack travelled inside the libxc stream for a short "
			"while; it has its own place in the libxl stream now. Memory and vcpus "
			"are not affected, but a newer Xen stops at the record.",
		.remedy = "Restore with the Xen version that wrote the file, and give --rule "
			  "XB025=warn to check it for that one.",
	},
	{
		.id = "XB026",
		.severity = SEVERITY_ERROR,
		.summary = "configuration and stream are of different kinds of guest",
		.explanation =
			"The domain is made as the configuration says, PV or HVM. The stream "
			"is of the other kind, and the restore refuses to load it.",
		.remedy = "Restore with the configuration that belongs to the stream.",
	},
	{
		.id = "XB027",
		.severity = SEVERITY_ERROR,
		.summary = "a page table names a frame that the guest does not have",
		.explanation =
			"A restore replaces the pfn of each page-table entry by the frame that the "
			"page got. One beyond the guest's last page has none, and the restore ends "
			"there.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
	{
		.id = "XB028",
		.severity = SEVERITY_WARNING,
		.summary = "a disk of the configuration has no frontend in the guest",
		.explanation =
			"The guest was saved with that disk. Either it runs a driver that this "
			"program does not know, or none at all, or what the driver keeps in "
			"memory is damaged beyond recognition. Requests that may be pending on "
			"the disk are not shown, and nothing about them was checked.",
		.remedy = "Find out what the guest runs, and try --kernel FILE. Restore it only "
			  "if you would without this check.",
	},
};

const struct rule_rows catalogue_file = {rows, ARRAY_SIZE(rows)};
