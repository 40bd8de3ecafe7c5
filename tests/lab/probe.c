/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What dom0 sees of a domain, by other ways than xbdsnap goes. Commands:
 *	probe p2m DOMID FILE		a PV domain's table, u64 a pfn, by xc_map_domain_meminfo()
 *	probe ring DOMID GREF FILE	the page that a domain has granted to dom0
 *	probe killpaused DOMID PID	kill the process as soon as the domain is paused, and wait
 *					until it runs again
 *	probe killat PID FILE BYTES	kill the process when the file has so many bytes; says
 *					how many it had then, or "late" if the process was gone
 *	probe flip DOMID FRAME OFFSET	change one byte (xor 0xff) of a domain's frame: a machine
 *					frame of a PV domain, else a guest frame
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xenguest.h>

enum { PAGE = 4096 };

static int fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return 1;
}

static int write_file(const char *path, const void *data, size_t bytes)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f))
		return fail(path);
	return 0;
}

static int p2m(uint32_t domid, const char *path)
{
	xc_interface *xch = xc_interface_open(NULL, NULL, 0);
	struct xc_domain_meminfo info = {0};

	if (!xch || xc_map_domain_meminfo(xch, domid, &info))
		return fail("xc_map_domain_meminfo");
	return write_file(path, info.p2m_table, info.p2m_size * sizeof(xen_pfn_t));
}

static int ring(uint32_t domid, uint32_t gref, const char *path)
{
	xengnttab_handle *gnt = xengnttab_open(NULL, 0);
	void *page = gnt ? xengnttab_map_grant_ref(gnt, domid, gref, PROT_READ) : NULL;

	return page ? write_file(path, page, PAGE) : fail("xengnttab_map_grant_ref");
}

static int flip(uint32_t domid, uint64_t frame, unsigned offset)
{
	xenforeignmemory_handle *fm = xenforeignmemory_open(NULL, 0);
	xen_pfn_t pfn = frame;
	int err = 0;
	char *page;

	if (!fm || offset >= PAGE)
		return fail("xenforeignmemory_open");
	page = xenforeignmemory_map(fm, domid, PROT_READ | PROT_WRITE, 1, &pfn, &err);
	if (!page || err) {
		errno = err ? -err : errno;
		return fail("xenforeignmemory_map");
	}
	page[offset] = (char)~page[offset];
	return 0;
}

static int is_paused(xc_interface *xch, uint32_t domid)
{
	xc_domaininfo_t info;

	if (xc_domain_getinfolist(xch, domid, 1, &info) != 1 || info.domain != domid)
		return -1;
	return (info.flags & XEN_DOMINF_paused) != 0;
}

/* Milliseconds until the domain is in that state; -1: it does not get there. */
static long await_state(xc_interface *xch, uint32_t domid, int paused, long limit)
{
	struct timespec nap = {.tv_nsec = 1000000};
	long ms;

	for (ms = 0; ms < limit; ms++) {
		if (is_paused(xch, domid) == paused)
			return ms;
		nanosleep(&nap, NULL);
	}
	return -1;
}

static int kill_paused(uint32_t domid, pid_t pid)
{
	xc_interface *xch = xc_interface_open(NULL, NULL, 0);

	if (!xch)
		return fail("xc_interface_open");
	if (await_state(xch, domid, 1, 15000) < 0)
		return printf("never paused\n") < 0;
	kill(pid, SIGKILL);
	printf("killed, running again: %d\n", await_state(xch, domid, 0, 20000) >= 0);
	return 0;
}

static int is_gone(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	if (f)
		fclose(f);
	return state == 'Z' || state == 'X';
}

static int kill_at(pid_t pid, const char *path, off_t bytes)
{
	struct timespec nap = {.tv_nsec = 200000};
	struct stat st;

	errno = EINVAL;
	if (pid <= 1)
		return fail("killat");
	for (; !is_gone(pid); nanosleep(&nap, NULL)) {
		if (stat(path, &st) || st.st_size < bytes)
			continue;
		kill(pid, SIGKILL);
		return printf("%" PRIu64 "\n", (uint64_t)st.st_size) < 0;
	}
	return printf("late\n") < 0;
}

int main(int argc, char **argv)
{
	uint32_t domid = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;

	if (argc == 4 && strcmp(argv[1], "p2m") == 0)
		return p2m(domid, argv[3]);
	if (argc == 4 && strcmp(argv[1], "killpaused") == 0)
		return kill_paused(domid, (pid_t)strtoul(argv[3], NULL, 0));
	if (argc == 5 && strcmp(argv[1], "killat") == 0)
		return kill_at((pid_t)domid, argv[3], strtoll(argv[4], NULL, 0));
	if (argc == 5 && strcmp(argv[1], "ring") == 0)
		return ring(domid, (uint32_t)strtoul(argv[3], NULL, 0), argv[4]);
	if (argc == 5 && strcmp(argv[1], "flip") == 0)
		return flip(domid, strtoull(argv[3], NULL, 0), (unsigned)strtoul(argv[4], NULL, 0));
	fputs("usage: probe p2m DOMID FILE | ring DOMID GREF FILE | flip DOMID FRAME OFFSET\n",
		stderr);
	return 2;
}
