# SPDX-License-Identifier: BSD-2-Clause
"""What is asserted of a variant, in that order: of a checkpoint, and of the domain itself."""
import alive
import kills
import results


def starved(res):
    """The checkpoint is of a guest whose rings are empty and whose queue is not."""
    document = res.dump("image.save")
    yield results.pending(res, document)
    yield alive.alive_starved(res, document)
    yield alive.alive_fed(res)
    yield results.actors(res)
    yield results.in_dom0(res, document)
    yield results.clean(res)
    yield results.ring_pages(res, document)
    yield results.completed(res)
    yield results.disks(res)
    yield results.landed(res)
    yield results.replayed(res)


def check(variant, out, xbdsnap):
    """Yield a line for each thing that holds; raise results.Wrong at the first that does not."""
    res = results.Results(variant, out, xbdsnap)
    if "CYCLE OK" not in res.text("console.txt"):
        raise results.Wrong("the cycle in dom0 did not end well")
    if variant["method"] == "stub":
        yield results.failed_save(res)
        return
    if variant["method"] == "core":
        yield from results.core_only(res)
        return
    if variant["method"] == "crash":
        yield alive.never_left_paused(res)
        yield alive.crashed(res)
        return
    if variant["kills"]:
        yield kills.kills(res)
    if variant["method"] in results.GUARDED:
        yield results.GUARDED[variant["method"]](res)
    if variant["method"] == "vetoed_live":
        yield results.completed(res)
        yield results.disks(res)
        return
    if variant["method"] == "starved":
        yield from starved(res)
        return
    document = res.dump("image.save")
    yield results.pending(res, document)
    if variant["busy"] == "yes":
        yield alive.busy(res)
    if variant["look"] == "yes":
        yield alive.alive(res, document)
        yield alive.alive_paused(res, document)
        yield alive.alive_suspended(res, document)
        yield alive.never_left_paused(res)
    if variant["look"] == "yes" and variant["save"] == "-c":
        yield alive.alive_answered(res)
    if variant["who"] == "yes":
        yield results.actors(res)
    yield results.in_dom0(res, document)
    yield results.clean(res)
    if any(variant.get("fs." + k) in ("xfs", "btrfs") for k in res.letters()):
        yield results.stale(res)
    yield results.ring_pages(res, document)
    yield results.hypervisor_grants(res, document)
    if variant["type"] == "pv":
        yield results.source_frames(res, document)
    if variant["core"] == "yes":
        yield results.core_file(res)
    yield results.completed(res)
    yield results.disks(res)
    yield results.landed(res)
    yield results.replayed(res)
    if variant["method"] == "save" and variant["save"] != "-c":
        yield results.paused(res)
        if variant["look"] == "yes":
            yield alive.alive_restored(res, document)
        yield results.order(res)
        if variant["type"] == "pv":
            yield results.target_frames(res)
