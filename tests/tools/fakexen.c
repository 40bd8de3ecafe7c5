/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fakexen.c - a host with one domain, for LD_PRELOAD: what xbdsnap calls of Xen's libraries,
 *answered out of a core dump of the domain (mkcore.py) and a listing of xenstore (xenstore-ls -f).
 *
 *	FAKEXEN_CORE	the dump; FAKEXEN_DOMID its number (7)
 *	FAKEXEN_STORE	the listing; the number in it is FAKEXEN_STORE_DOMID (1)
 *	FAKEXEN_STATE	running (also when unset), paused, restored, suspended, crashed, dying
 *	FAKEXEN_DIES	it is dying from that many questions for it on
 *	FAKEXEN_PVH	the domain has no emulated devices
 *	FAKEXEN_POKE	FRAME:OFFSET:VALUE:NTH,... the word of 32 bits there is VALUE from the nth
 *			mapping of that frame on: the guest runs; "+VALUE" grows with each
 *	FAKEXEN_GONE	FRAME,... cannot be mapped
 *	FAKEXEN_GRANTS	GREF=FRAME,... what the domain has granted
 *	FAKEXEN_LOG	a line is appended for each thing that a look must not do unasked: pause,
 *			unpause, write; "names FRAME" for a frame that is not the domain's; and
 *			"held" where a page is mapped while another one still is
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XC_WANT_COMPAT_MAP_FOREIGN_API 1
#include <xenctrl.h>
#include <xenguest.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xen/hvm/save.h>
#include <xen/sched.h>

enum { PAGE = 4096, MAX_FRAMES = 1 << 21 };
#define ALONE ((void *)0x300000000000)

static struct {
	const uint8_t *core, *pages, *table, *cpus;
	uint64_t nr, nr_cpus, cpu_bytes;
	bool hvm;
	uint32_t *at;	 /* page of each frame + 1 */
	uint16_t *times; /* that each frame was mapped */
	uint64_t top;	 /* highest pfn + 1 */
	int pauses, lives;
	int log; /* opened with the host, by who can still open */
	char *store;
	size_t store_bytes;
} g;

static const char *setting(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

static void note(const char *what, uint64_t frame)
{
	if (frame)
		dprintf(g.log, "%s 0x%" PRIx64 "\n", what, frame);
	else
		dprintf(g.log, "%s\n", what);
}

static void load_store(void)
{
	FILE *f = fopen(setting("FAKEXEN_STORE", "/dev/null"), "r");

	g.store = calloc(1, 1 << 20);
	if (f && g.store)
		g.store_bytes = fread(g.store, 1, 1 << 20, f);
	if (f)
		fclose(f);
}

static void load(void)
{
	const char *path = setting("FAKEXEN_CORE", "core");
	int fd = open(path, O_RDONLY);
	const Elf64_Ehdr *e;
	const Elf64_Shdr *s;
	const char *names;
	struct stat st;
	uint64_t i;

	if (g.core)
		return;
	if (fd < 0 || fstat(fd, &st))
		exit(99);
	g.core = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	load_store();
	g.log = open(setting("FAKEXEN_LOG", "/dev/null"), O_WRONLY | O_APPEND | O_CREAT, 0600);
	e = (const void *)g.core;
	s = (const void *)(g.core + e->e_shoff);
	names = (const char *)g.core + s[e->e_shstrndx].sh_offset;
	for (i = 0; i < e->e_shnum; i++) {
		const char *name = names + s[i].sh_name;
		const uint8_t *data = g.core + s[i].sh_offset;

		if (!strcmp(name, ".xen_pages"))
			g.pages = data;
		if (!strcmp(name, ".xen_p2m") || !strcmp(name, ".xen_pfn")) {
			g.hvm = !strcmp(name, ".xen_pfn");
			g.table = data;
			g.nr = s[i].sh_size / (g.hvm ? 8 : 16);
		}
		if (!strcmp(name, ".xen_prstatus")) {
			g.cpus = data;
			g.cpu_bytes = s[i].sh_entsize;
			g.nr_cpus = s[i].sh_size / s[i].sh_entsize;
		}
	}
	g.lives = atoi(setting("FAKEXEN_DIES", "0"));
	g.at = calloc(MAX_FRAMES, sizeof(*g.at));
	g.times = calloc(MAX_FRAMES, sizeof(*g.times));
	for (i = 0; i < g.nr; i++) {
		const uint64_t *entry = (const void *)(g.table + i * (g.hvm ? 8 : 16));
		uint64_t pfn = entry[0], frame = g.hvm ? pfn : entry[1];

		if (frame < MAX_FRAMES)
			g.at[frame] = (uint32_t)i + 1;
		if (pfn >= g.top)
			g.top = pfn + 1;
	}
}

/* --- frames --- */

static bool is_listed(const char *list, uint64_t frame)
{
	for (; list && *list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
		if (strtoull(list, NULL, 0) == frame)
			return true;
	return false;
}

static void poke(uint64_t frame, uint8_t *page, unsigned times)
{
	const char *at = setting("FAKEXEN_POKE", "");
	uint64_t where, value, nth, off;
	char *end;

	for (; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		where = strtoull(at, &end, 0);
		off = strtoull(end + 1, &end, 0);
		value = end[1] == '+' ? times : 0;
		value += strtoull(end + 1, &end, 0);
		nth = strtoull(end + 1, &end, 0);
		if (where == frame && times >= nth && off <= PAGE - 4)
			memcpy(page + off, &(uint32_t){(uint32_t)value}, 4);
	}
}

static bool copy(uint64_t frame, uint8_t *page)
{
	if (frame >= MAX_FRAMES || !g.at[frame] || is_listed(getenv("FAKEXEN_GONE"), frame)) {
		if (frame < MAX_FRAMES && !g.at[frame] && !g.hvm)
			note("names", frame);
		return false;
	}
	memcpy(page, g.pages + (size_t)(g.at[frame] - 1) * PAGE, PAGE);
	poke(frame, page, ++g.times[frame]);
	return true;
}

/* Always at one address, where nothing else is: what is there still is held too long. */
static uint8_t *map_pages(size_t bytes)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *at = mmap(ALONE, bytes, prot, flags | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != MAP_FAILED)
		return at;
	note("held", 0);
	return mmap(NULL, bytes, prot, flags, -1, 0);
}

void *xc_map_foreign_bulk(
	xc_interface *x, uint32_t dom, int prot, const xen_pfn_t *arr, int *err, unsigned int num)
{
	uint8_t *at = map_pages((size_t)num * PAGE);
	unsigned i;

	(void)x, (void)dom;
	if (prot & PROT_WRITE)
		note("write", 0);
	for (i = 0; i < num; i++)
		err[i] = copy(arr[i], at + (size_t)i * PAGE) ? 0 : -EINVAL;
	mprotect(at, (size_t)num * PAGE, PROT_READ);
	return at;
}

/* shared_info, whose frame is the one behind all others, names no table. */
void *xc_map_foreign_range(xc_interface *x, uint32_t dom, int size, int prot, unsigned long mfn)
{
	xen_pfn_t frame = mfn;
	int err = 0;
	void *at = xc_map_foreign_bulk(x, dom, prot, &frame, &err, 1);

	(void)size;
	if (!err || mfn == MAX_FRAMES)
		return at;
	munmap(at, PAGE);
	errno = EINVAL;
	return NULL;
}

int xc_map_domain_meminfo(xc_interface *x, uint32_t dom, struct xc_domain_meminfo *m)
{
	uint64_t i;

	(void)x, (void)dom;
	m->guest_width = 8;
	m->pt_levels = 4;
	m->p2m_size = g.top;
	m->p2m_table = malloc(g.top * 8);
	memset(m->p2m_table, 0xff, g.top * 8);
	for (i = 0; i < g.nr; i++) {
		const uint64_t *entry = (const void *)(g.table + i * 16);

		m->p2m_table[entry[0]] = entry[1];
	}
	return 0;
}

int xc_unmap_domain_meminfo(xc_interface *x, struct xc_domain_meminfo *m)
{
	(void)x;
	free(m->p2m_table);
	return 0;
}

xen_pfn_t *xc_map_m2p(xc_interface *x, unsigned long max, int prot, unsigned long *mfn0)
{
	(void)x, (void)max, (void)prot, (void)mfn0;
	return NULL;
}

int xc_maximum_ram_page(xc_interface *x, unsigned long *max)
{
	(void)x, (void)max;
	return -1;
}

unsigned long xc_translate_foreign_address(
	xc_interface *x, uint32_t dom, int vcpu, unsigned long long va)
{
	(void)x, (void)dom, (void)vcpu, (void)va;
	return 0;
}

/* --- the domain --- */

xc_interface *xc_interface_open(xentoollog_logger *l, xentoollog_logger *d, unsigned flags)
{
	(void)l, (void)d, (void)flags;
	load();
	return (void *)&g;
}

/* For escape.c: does this process have the host? */
int fakexen_is_open(void);
int fakexen_is_open(void)
{
	return g.nr != 0;
}

int xc_interface_close(xc_interface *x)
{
	(void)x;
	return 0;
}

int xc_version(xc_interface *x, int cmd, void *arg)
{
	(void)x, (void)arg;
	return cmd == XENVER_version ? 4 << 16 | 17 : -1;
}

int xc_domain_getinfolist(xc_interface *x, uint32_t first, unsigned int max, xc_domaininfo_t *info)
{
	const char *state = setting("FAKEXEN_STATE", "running");
	uint32_t domid = (uint32_t)atoi(setting("FAKEXEN_DOMID", "7"));

	(void)x;
	if (!max || first > domid)
		return 0;
	memset(info, 0, sizeof(*info));
	info->domain = (domid_t)domid;
	info->tot_pages = info->max_pages = g.nr;
	info->shared_info_frame = MAX_FRAMES;
	info->nr_online_vcpus = (uint32_t)g.nr_cpus;
	info->max_vcpu_id = (uint32_t)g.nr_cpus - 1;
	info->cpu_time = strcmp(state, "restored") ? 1000000000 : 0;
	if (g.hvm)
		info->flags |= XEN_DOMINF_hvm_guest;
	info->arch_config.emulation_flags = getenv("FAKEXEN_PVH") ? XEN_X86_EMU_LAPIC : 0x3ff;
	if (!strcmp(state, "paused") || !strcmp(state, "restored") || g.pauses)
		info->flags |= XEN_DOMINF_paused;
	if (!strcmp(state, "suspended"))
		info->flags |= XEN_DOMINF_shutdown | SHUTDOWN_suspend << XEN_DOMINF_shutdownshift;
	if (!strcmp(state, "crashed"))
		info->flags |= XEN_DOMINF_shutdown | SHUTDOWN_crash << XEN_DOMINF_shutdownshift;
	if (!strcmp(state, "dying") || (getenv("FAKEXEN_DIES") && --g.lives <= 0))
		info->flags |= XEN_DOMINF_dying;
	return 1;
}

int xc_domain_get_guest_width(xc_interface *x, uint32_t domid, unsigned int *width)
{
	(void)x, (void)domid;
	*width = 8;
	return 0;
}

int xc_domain_nr_gpfns(xc_interface *x, uint32_t domid, xen_pfn_t *nr)
{
	(void)x, (void)domid;
	*nr = g.top;
	return 0;
}

int xc_vcpu_getcontext(xc_interface *x, uint32_t domid, uint32_t vcpu, vcpu_guest_context_any_t *c)
{
	(void)x, (void)domid;
	if (vcpu >= g.nr_cpus)
		return -1;
	memcpy(c, g.cpus + vcpu * g.cpu_bytes, sizeof(c->x64));
	return 0;
}

int xc_domain_hvm_getcontext_partial(
	xc_interface *x, uint32_t domid, uint16_t code, uint16_t instance, void *to, uint32_t size)
{
	struct hvm_hw_cpu *cpu = to;
	vcpu_guest_context_any_t c;

	if (code != HVM_SAVE_CODE(CPU) || size < sizeof(*cpu) ||
		xc_vcpu_getcontext(x, domid, instance, &c))
		return -1;
	memset(cpu, 0, sizeof(*cpu));
	cpu->cr0 = c.x64.ctrlreg[0];
	cpu->cr3 = c.x64.ctrlreg[3];
	cpu->cr4 = c.x64.ctrlreg[4];
	cpu->rip = c.x64.user_regs.rip;
	cpu->msr_efer = 0xd01;
	return 0;
}

int xc_hvm_param_get(xc_interface *x, uint32_t dom, uint32_t param, uint64_t *value)
{
	(void)x, (void)dom, (void)param, (void)value;
	return -1;
}

int xc_domain_pause(xc_interface *x, uint32_t domid)
{
	(void)x, (void)domid;
	g.pauses++;
	note("pause", 0);
	return 0;
}

int xc_domain_unpause(xc_interface *x, uint32_t domid)
{
	(void)x, (void)domid;
	g.pauses--;
	note("unpause", 0);
	return 0;
}

/* --- grants --- */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
	(void)logger, (void)flags;
	if (getenv("FAKEXEN_GRANTS"))
		return (void *)&g;
	errno = ENOENT;
	return NULL;
}

int xengnttab_close(xengnttab_handle *h)
{
	(void)h;
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *h, uint32_t domid, uint32_t ref, int prot)
{
	const char *at = setting("FAKEXEN_GRANTS", "");
	uint64_t gref;
	char *end;

	(void)h;
	for (; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		gref = strtoull(at, &end, 0);
		if (gref == ref)
			return xc_map_foreign_range(
				NULL, domid, PAGE, prot, strtoul(end + 1, NULL, 0));
	}
	errno = EINVAL;
	return NULL;
}

int xengnttab_unmap(xengnttab_handle *h, void *at, uint32_t count)
{
	(void)h;
	return munmap(at, (size_t)count * PAGE);
}

/* --- xenstore: lines "/path = "value"   (permissions)" --- */

struct xs_handle *xs_open(unsigned long flags)
{
	(void)flags;
	return (void *)&g;
}

void xs_close(struct xs_handle *h)
{
	(void)h;
}

/* The number of the domain in the listing, where `path` has its own. */
static void translate(const char *path, char *to, size_t cap)
{
	const char *here = setting("FAKEXEN_DOMID", "7"),
		   *there = setting("FAKEXEN_STORE_DOMID", "1");
	const char *at;
	char word[32];

	snprintf(word, sizeof(word), "/%s/", here);
	at = strstr(path, word);
	if (at)
		snprintf(to, cap, "%.*s/%s/%s", (int)(at - path), path, there, at + strlen(word));
	else
		snprintf(to, cap, "%s", path);
}

/* And back, in a value that is a path. */
static char *translate_value(char *value)
{
	const char *here = setting("FAKEXEN_DOMID", "7"),
		   *there = setting("FAKEXEN_STORE_DOMID", "1");
	char word[32], *at, *to = NULL;

	snprintf(word, sizeof(word), "/%s/", there);
	at = *value == '/' ? strstr(value, word) : NULL;
	if (!at)
		return value;
	if (asprintf(&to, "%.*s/%s/%s", (int)(at - value), value, here, at + strlen(word)) < 0)
		exit(99);
	free(value);
	return to;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
	FILE *f = g.store_bytes ? fmemopen(g.store, g.store_bytes, "r") : NULL;
	char line[1024], want[512], *value = NULL;

	(void)h, (void)t;
	translate(path, want, sizeof(want));
	while (f && !value && fgets(line, sizeof(line), f)) {
		char *mark = strstr(line, " = \"");
		char *end = mark ? strchr(mark + 4, '"') : NULL;

		if (!end)
			continue;
		*mark = *end = '\0';
		if (!strcmp(line, want))
			value = translate_value(strdup(mark + 4));
	}
	if (f)
		fclose(f);
	if (value)
		*len = (unsigned)strlen(value);
	return value;
}

static bool has(char **names, unsigned nr, const char *name)
{
	unsigned i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *nr)
{
	FILE *f = g.store_bytes ? fmemopen(g.store, g.store_bytes, "r") : NULL;
	char **names = calloc(1, 256 * (sizeof(*names) + 64)), *text = (char *)(names + 256);
	char line[1024], want[512];
	size_t len;

	(void)h, (void)t;
	translate(path, want, sizeof(want));
	len = strlen(want);
	*nr = 0;
	while (f && *nr < 256 && fgets(line, sizeof(line), f)) {
		char *name = line + len + 1;

		if (strncmp(line, want, len) || line[len] != '/')
			continue;
		name[strcspn(name, "/ ")] = '\0';
		if (!strcmp(want, "/local/domain") &&
			!strcmp(name, setting("FAKEXEN_STORE_DOMID", "1")))
			strcpy(name, setting("FAKEXEN_DOMID", "7"));
		if (has(names, *nr, name))
			continue;
		names[*nr] = strcpy(text + (size_t)*nr * 64, name);
		++*nr;
	}
	if (f)
		fclose(f);
	return names;
}
