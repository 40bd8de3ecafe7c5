/* SPDX-License-Identifier: BSD-2-Clause
 *
 * catalogue_rows.h - the parts of the catalogue, in the order of their ids. Private to check/.
 */
#ifndef XB_CHECK_CATALOGUE_ROWS_H
#define XB_CHECK_CATALOGUE_ROWS_H

#include "check/catalogue.h"

struct rule_rows {
	const struct rule *v;
	size_t nr;
};

extern const struct rule_rows catalogue_file, catalogue_ring, catalogue_driver, catalogue_host,
	catalogue_other;

#endif
