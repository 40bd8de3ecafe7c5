/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nbd_lib.h"

#include <dlfcn.h>
#include <string.h>

#include "base/util.h"

#ifdef HAVE_NBD

#define LIBRARY "libnbd.so.0" /* its soname since 1.0 */

/* As if it were linked in: what is preloaded comes first, which is how the tests let it fail. A
 * pointer to a function has the form of one to an object, says POSIX of dlsym(). */
static int find_function(const char *name, void *ret, struct err *err)
{
	void *at = dlsym(RTLD_DEFAULT, name);

	if (!at)
		return err_set(err, ERR_SYSTEM, "%s has no %s", LIBRARY, name);
	memcpy(ret, &at, sizeof(at));
	return 0;
}

int nbd_lib_load(struct nbd_lib **ret, struct err *err)
{
	CLEANUP_FREE struct nbd_lib *lib = calloc(1, sizeof(*lib));
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
	int rc = 0;

	if (!lib)
		rc = err_nomem(err, "a library");
	else if (!library)
		rc = err_set(
			err, ERR_SYSTEM, "disks that are not raw need %s: %s", LIBRARY, dlerror());
#define NBD_LIB_FIND(name) rc = rc ? rc : find_function("nbd_" #name, &lib->name, err);
	NBD_LIB_FUNCTIONS(NBD_LIB_FIND)
#undef NBD_LIB_FIND
	if (library)
		dlclose(library);
	if (!rc)
		*ret = take(lib);
	return rc;
}

#else

int nbd_lib_load(struct nbd_lib **ret UNUSED, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "built without libnbd, so disks must be raw");
	return err_override(err, "nbd");
}

#endif
