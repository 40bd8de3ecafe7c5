/* SPDX-License-Identifier: BSD-2-Clause
 *
 * config.h - the domain's configuration in its several languages. Each reader fills info.name,
 * uuid, config_vcpus and disks from info.config; one that makes no sense is a finding (XB014), and
 * -1 is returned only when memory is out.
 */
#ifndef XB_CHECKPOINT_CONFIG_H
#define XB_CHECKPOINT_CONFIG_H

#include "checkpoint/ckpt_priv.h"

/* xl's libxl_domain_config as JSON (4.5 and newer) */
int config_parse_json(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err) MUST_CHECK;
/* xend's s-expression; Xen 2.0's too */
int config_parse_sxp(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err) MUST_CHECK;
/* the text that the administrator wrote for xl, 4.1 to 4.4 */
int config_parse_xlcfg(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err) MUST_CHECK;
/* libvirt's domain XML; unread in a build without libxml2 */
int config_parse_xml(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err) MUST_CHECK;
/* config_sxp.c: what xenopsd notes of a domain, which is not its disks */
int config_parse_xenops(struct ckpt *ck, struct err *err) MUST_CHECK;

/* config_disk.c. A cleared disk; NULL without an error of *full: there are too many, which is a
 * finding. */
struct ckpt_disk *config_add_disk(struct ckpt *ck, bool *full, struct err *err);
/* "ioemu:xvdb:cdrom" -> "xvdb", and that it is one. */
void config_trim_vdev(struct ckpt_disk *d);
/* "phy:vg/root", "tap:aio:/image", "vhd:/image" -> path, backend, format. */
int config_split_target(struct ckpt_disk *d, struct err *err) MUST_CHECK;
/* max_vcpus as text. */
void config_set_vcpus(struct ckpt *ck, const char *text);

#endif
