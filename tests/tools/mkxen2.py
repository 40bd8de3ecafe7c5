#!/usr/bin/env python3
"""mkxen2.py OUT.save [--elf OUT.elf] [--truth OUT.json] [--seed N] [--requests N] [--with FAULT]...

Write a checkpoint of Xen 2.0 with a small NetBSD-like guest whose block driver is played here:
buffers are cut into ring requests, logged, answered in random order and consumed, as the driver
of 2006 does it, with the sector missing from the log. The truth names what is pending.

FAULT breaks one thing:
  null        the log does not exist yet (rec_ring == NULL)
  cycle       the free list runs in a circle
  both        the free list leads into a used slot
  lowpfn      a logged address lies below the kernel's bias
  highpfn     a logged frame lies beyond the guest
  segments    a slot claims 200 segments
  op          a slot has operation 9
  firstlast   a segment's first sector lies behind its last
  reissued    an earlier resume has put the log's garbage into the ring
  twins       two pending writes of one buffer, both answered over in the ring
  parent      an xbdreq points to a parent that is none
  wrongring   the ring and the driver's request tell different sectors
  probe       a probe is pending
  recovery    the driver is between losing its ring and re-issuing
  unconsumed  answers wait in the ring
  noring, nolog, noxbdreqs, nop2m    that page is not in the checkpoint
  novbds      vbd_info is empty
  duplicate   two requests in the ring have one id
  readonly    the second disk is read-only
"""
import argparse
import json
import random
import struct

PAGE = 4096
TEXT = 0xC0100000            # pfn 0
KMEM = 0xCA000000            # where malloc's pages are mapped
BIAS = 0x100000
NIL = 4095
NPFN = 1024
NXR = 64
READ, WRITE, PROBE = 0, 1, 2


class Guest:
    def __init__(self, rnd):
        self.rnd = rnd
        self.pages = {pfn: bytearray(PAGE) for pfn in range(NPFN)}
        self.types = {pfn: 0 for pfn in range(NPFN)}
        self.map = {}
        self.p2m = rnd.sample(range(0x20000, 0x80000), NPFN)
        self.next_kmem = KMEM
        self.next_pfn = 200
        self.missing = set()
        for pfn in range(0, 128):                       # the kernel image
            self.map[TEXT + pfn * PAGE] = pfn

    def kmem(self, npages=1):
        """Pages at fresh kernel addresses; frames are not in order."""
        va = self.next_kmem
        for i in range(npages):
            self.map[va + i * PAGE] = self.next_pfn
            self.next_pfn += 3
        self.next_kmem += (npages + 1) * PAGE
        return va

    def pfn(self, va):
        return self.map[va & ~(PAGE - 1)]

    def write(self, va, data):
        for i, byte in enumerate(data):
            self.pages[self.pfn(va + i)][(va + i) % PAGE] = byte

    def w32(self, va, value):
        self.write(va, struct.pack('<I', value & 0xFFFFFFFF))


class Driver:
    """The bookkeeping of xbd.c, in Python's own structures; layout() writes it into the guest."""

    def __init__(self, guest, rnd):
        self.g, self.rnd = guest, rnd
        self.log_va, self.ring_va = guest.kmem(), guest.kmem()
        self.xr_va, self.vbd_va = guest.kmem(), guest.kmem()
        self.p2m_va = guest.kmem((NPFN * 4 + PAGE - 1) // PAGE)
        self.bufs = [guest.kmem(17) for _ in range(14)]
        self.busy = [False] * len(self.bufs)
        self.log = [dict(op=rnd.randrange(256), nseg=rnd.randrange(256), dev=rnd.randrange(65536),
                         id=i + 1 if i < 63 else NIL, sector=rnd.getrandbits(64),
                         fas=[rnd.getrandbits(32) for _ in range(11)]) for i in range(64)]
        self.free = 0
        self.ring = [bytearray(60) for _ in range(64)]
        self.req_prod = self.resp_prod = self.resp_cons = 0
        self.xr = [dict(link=0, parent=0, bp=0, bn=0, bqueue=0, bdone=0, data=0, aligned=0, breq=0,
                        sc=0, index=i, buf=None) for i in range(NXR)]
        self.xrfree = list(range(63))
        self.flight = []                                # slots the backend has not answered
        self.truth = {}
        self.disks = [(769, 2097152, 0x20), (770, 65536, 0x20)]

    def xr_addr(self, i):
        return self.xr_va + 44 * i

    def fill(self, xr):
        p = self.xr[xr['parent']]
        entry, slot = self.ring[self.req_prod % 64], self.free
        segs, sector = [], p['bn']
        while len(segs) < 11 and p['bqueue'] > 0:
            off = p['data'] % PAGE
            n = min(PAGE - off, p['bqueue'])
            segs.append((self.g.pfn(p['data']), off // 512, (off + n) // 512 - 1))
            p['data'] += n
            p['bqueue'] -= n
            p['bn'] += n // 512
            xr['breq'] += n
        struct.pack_into('<BBHIQ', entry, 0, p['op'], len(segs), p['dev'], slot, sector)
        for i, (pfn, first, last) in enumerate(segs):
            struct.pack_into('<I', entry, 16 + 4 * i, self.g.p2m[pfn] << 12 | first << 3 | last)
        rec = self.log[slot]
        self.free = rec['id']
        rec.update(op=p['op'], nseg=len(segs), dev=p['dev'], id=self.xr_addr(xr['index']))
        for i, (pfn, first, last) in enumerate(segs):
            rec['fas'][i] = (pfn << 12) + BIAS | first << 3 | last
        self.truth[slot] = dict(slot=slot, op='READ' if p['op'] == READ else 'WRITE',
                                device=p['dev'], sector=sector, index=self.req_prod,
                                xr=xr['index'],
                                segments=[dict(pfn=a, first=b, last=c, mfn=self.g.p2m[a])
                                          for a, b, c in segs])
        self.flight.append(slot)
        self.req_prod += 1

    def submit(self, buf=None, first=None, bytes_=None, op=None):
        if buf is None:
            idle = [i for i, b in enumerate(self.busy) if not b]
            if not idle:
                return False
            buf = self.rnd.choice(idle)
        if len(self.xrfree) < 3 or self.req_prod - self.resp_cons > 60:
            return False
        self.busy[buf] = True
        dev, cap, _ = self.rnd.choice(self.disks)
        first = self.rnd.randrange(8) if first is None else first
        total = 512 * (self.rnd.randrange(1, 120) if bytes_ is None else bytes_)
        p = self.xr[self.xrfree.pop(0)]
        p.update(parent=p['index'], bp=0xCB000000 + 256 * buf, bn=self.rnd.randrange(cap - 130),
                 bqueue=total, bdone=total, data=self.bufs[buf] + 512 * first, breq=0, buf=buf,
                 op=self.rnd.choice((READ, WRITE)) if op is None else op, dev=dev)
        self.fill(p)
        while p['bqueue'] > 0:
            child = self.xr[self.xrfree.pop(0)]
            child.update(parent=p['index'], bp=0, bn=0, bqueue=0, bdone=0, data=0, breq=0)
            self.fill(child)
        return True

    def answer(self, slot=None):
        if not self.flight:
            return
        slot = self.rnd.choice(self.flight) if slot is None else slot
        self.flight.remove(slot)
        struct.pack_into('<IBh', self.ring[self.resp_prod % 64], 0, slot, self.log[slot]['op'], 0)
        self.resp_prod += 1

    def consume(self):
        while self.resp_cons != self.resp_prod:
            slot = struct.unpack_from('<I', self.ring[self.resp_cons % 64])[0]
            xr = self.xr[self.truth.pop(slot)['xr']]
            self.log[slot]['id'], self.free = self.free, slot
            p = self.xr[xr['parent']]
            p['bdone'] -= xr['breq']
            if xr is not p:
                self.xrfree.insert(0, xr['index'])
            if p['bdone'] == 0:
                self.busy[p['buf']] = False
                self.xrfree.insert(0, p['index'])
            self.resp_cons += 1

    def layout(self):
        g = self.g
        garbage = bytes(self.rnd.randrange(256) for _ in range(PAGE - 3840))
        log = b''.join(struct.pack('<BBHIQ11I', r['op'], r['nseg'], r['dev'], r['id'], r['sector'],
                                   *r['fas']) for r in self.log)
        g.write(self.log_va, log + garbage)
        g.write(self.ring_va, struct.pack('<II', self.req_prod, self.resp_prod) +
                b''.join(self.ring))
        for x in self.xr:
            g.write(self.xr_addr(x['index']),
                    struct.pack('<IIIqiiIIiI', x['link'], self.xr_addr(x['parent']), x['bp'],
                                x['bn'], x['bqueue'], x['bdone'], x['data'], x['aligned'],
                                x['breq'], 0))
        for i, (dev, cap, info) in enumerate(self.disks):
            g.write(self.vbd_va + 12 * i, struct.pack('<QHH', cap, dev, info))
        for i, mfn in enumerate(g.p2m):
            g.w32(self.p2m_va + 4 * i, mfn)


def page_tables(g):
    """Two levels; frames 150.. hold the tables, 149 the suspend record."""
    l2, tables = 150, {}
    for va, pfn in sorted(g.map.items()):
        i = va >> 22
        if i not in tables:
            tables[i] = l2 + 1 + len(tables)
            struct.pack_into('<I', g.pages[l2], 4 * i, tables[i] << 12 | 0x67)
            g.types[tables[i]] = 1
        struct.pack_into('<I', g.pages[tables[i]], 4 * (va >> 12 & 1023), pfn << 12 | 0x63)
    for i in range(1008, 1024):                         # the hypervisor's, raw machine frames
        struct.pack_into('<I', g.pages[l2], 4 * i, 0xFFFFF067)
    g.types[l2] = 0xA
    return l2


def save(path, g, l2, drv, cmdline):
    record = g.pages[149]
    struct.pack_into('<I', record, 0, NPFN)
    struct.pack_into('<I', record, 40, drv.p2m_va)
    record[64:64 + len(cmdline)] = cmdline
    struct.pack_into('<II', record, 320, g.p2m[148], NPFN)
    frames = [g.pfn(drv.p2m_va + PAGE * i) for i in range((NPFN + 1023) // 1024)]
    frames += [g.rnd.getrandbits(32) for _ in range(1024 - len(frames))]
    config = (b"(domain (id 7) (name nb) (memory 4) (config (vm (name nb) (memory 4) (image (netbsd "
              b"(kernel /netbsd) (root /dev/hda1))) (device (vbd (uname phy:vg/nb) (dev hda1) "
              b"(mode w))))))")
    out = bytearray(b'LinuxGuestRecord' + struct.pack('<I', NPFN) + struct.pack('<1024I', *frames) +
                    struct.pack('<I', len(config)) + config)
    order = [p for p in range(NPFN) if p not in g.missing]
    g.rnd.shuffle(order)
    for start in range(0, len(order), 1024):
        batch = order[start:start + 1024]
        out += struct.pack('<i', len(batch))
        out += b''.join(struct.pack('<I', g.types[p] << 28 | p) for p in batch)
        for p in batch:
            out += g.pages[p]
    out += struct.pack('<iI', 0, len(g.missing))
    out += b''.join(struct.pack('<I', p) for p in sorted(g.missing))
    ctx = bytearray(2516)
    struct.pack_into('<I', ctx, 16, 149)                # esi: the suspend record
    struct.pack_into('<I', ctx, 36, TEXT + 0x1234)
    struct.pack_into('<I', ctx, 40, 0x0819)
    struct.pack_into('<I', ctx, 48, TEXT + 0x7000)
    struct.pack_into('<I', ctx, 52, 0x0821)
    struct.pack_into('<I', ctx, 2464, l2 << 12)
    with open(path, 'wb') as f:
        f.write(bytes(out) + bytes(ctx) + bytes(PAGE))


def elf(path, symbols):
    """A file of three sections: symbols, their names, the sections' names."""
    names, table = bytearray(b'\0'), bytearray(16)
    for name, value, size in symbols:
        table += struct.pack('<IIIBBH', len(names), value, size, 1, 0, 1)
        names += name.encode() + b'\0'
    names += bytes(-len(names) % 4)
    shnames = b'\0.symtab\0.strtab\0.shstrtab\0\0'
    at_table = 52
    at_names = at_table + len(table)
    at_shnames = at_names + len(names)
    at_headers = at_shnames + len(shnames)
    header = b'\x7fELF' + bytes([1, 1, 1]) + bytes(9) + struct.pack(
        '<HHIIIIIHHHHHH', 2, 3, 1, TEXT, 0, at_headers, 0, 52, 0, 0, 40, 4, 3)
    sections = bytes(40)
    sections += struct.pack('<10I', 1, 2, 0, 0, at_table, len(table), 2, 1, 4, 16)
    sections += struct.pack('<10I', 9, 3, 0, 0, at_names, len(names), 0, 0, 1, 0)
    sections += struct.pack('<10I', 17, 3, 0, 0, at_shnames, len(shnames), 0, 0, 1, 0)
    with open(path, 'wb') as f:
        f.write(header + bytes(table) + bytes(names) + shnames + sections)


def break_before(drv, faults):
    """Faults that need the driver's help, while requests still move."""
    if 'twins' in faults:
        # Two writes of one buffer; the answers to others then run over their places.
        for _ in range(2):
            drv.submit(buf=0, first=2, bytes_=4, op=WRITE)
        twins = [s for s, t in drv.truth.items() if t['segments'][0]['pfn'] == drv.g.pfn(drv.bufs[0])
                 and len(t['segments']) == 1 and t['segments'][0]['first'] == 2]
        assert len(twins) == 2
        while drv.resp_prod <= max(drv.truth[s]['index'] for s in twins):
            others = [s for s in drv.flight if s not in twins]
            if others:
                drv.answer(drv.rnd.choice(others))
                drv.consume()
            else:
                drv.submit(buf=drv.rnd.choice([i for i in range(1, 14) if not drv.busy[i]]))
    if 'unconsumed' in faults:
        for _ in range(min(5, len(drv.flight) // 2)):
            drv.answer()
    if 'probe' in faults:
        slot = drv.free
        rec = drv.log[slot]
        drv.free = rec['id']
        xr = drv.xrfree.pop(0)
        page = drv.g.pfn(drv.bufs[0])
        rec.update(op=PROBE, nseg=1, dev=0, id=drv.xr_addr(xr))
        rec['fas'][0] = (page << 12) + BIAS | 7
        struct.pack_into('<BBHIQI', drv.ring[drv.req_prod % 64], 0, PROBE, 1, 0, slot, 0,
                         drv.g.p2m[page] << 12 | 7)
        drv.truth[slot] = dict(slot=slot, op='PROBE', device=0, sector=None, index=drv.req_prod,
                               xr=xr, segments=[dict(pfn=page, first=0, last=7,
                                                     mfn=drv.g.p2m[page])])
        drv.flight.append(slot)
        drv.req_prod += 1


def window_of(drv, slot):
    return drv.ring[drv.truth[slot]['index'] % 64]


def break_after(drv, faults, truth):
    """Faults in the finished objects. `truth` may be told which slot was hit."""
    used = sorted(s for s in drv.truth if drv.truth[s]['op'] != 'PROBE')
    windowed = [s for s in used if drv.truth[s]['index'] >= drv.resp_prod]
    victim = windowed[0] if windowed else used[0]
    rec = drv.log[victim]
    truth['victim'] = victim
    free = []
    i = drv.free
    while i != NIL:
        free.append(i)
        i = drv.log[i]['id']
    if 'cycle' in faults:
        drv.log[free[-1]]['id'] = free[0]
    if 'both' in faults:
        drv.log[free[-1]]['id'] = victim
    if 'lowpfn' in faults:
        rec['fas'][0] = 0x42000 | rec['fas'][0] & 0xFFF
    if 'highpfn' in faults:
        rec['fas'][0] = (NPFN + 5 << 12) + BIAS | rec['fas'][0] & 0xFFF
    if 'segments' in faults:
        rec['nseg'] = 200
    if 'op' in faults:
        rec['op'] = 9
    if 'firstlast' in faults:
        rec['fas'][0] = rec['fas'][0] & ~0x3F | 6 << 3 | 2
    if 'reissued' in faults:
        for s in windowed:
            struct.pack_into('<Q', window_of(drv, s), 8, drv.log[s]['sector'])
    if 'parent' in faults:
        x = drv.xr[drv.truth[victim]['xr']]
        x['parent'] = drv.xrfree[0]
        drv.xr[drv.xrfree[0]]['parent'] = 63
    if 'wrongring' in faults:
        struct.pack_into('<Q', window_of(drv, victim), 8, drv.truth[victim]['sector'] ^ 0x55)
    if 'duplicate' in faults:
        other = windowed[1]
        struct.pack_into('<I', window_of(drv, other), 4, victim)
        truth['other'] = other
    if 'readonly' in faults:
        drv.disks[1] = drv.disks[1][:2] + (0x60,)
    if 'novbds' in faults:
        drv.disks = []


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('out')
    ap.add_argument('--elf')
    ap.add_argument('--truth')
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--requests', type=int, default=300)
    ap.add_argument('--with', dest='faults', action='append', default=[])
    a = ap.parse_args()
    rnd = random.Random(a.seed)
    g = Guest(rnd)
    drv = Driver(g, rnd)
    while drv.req_prod < a.requests:
        if rnd.random() < 0.6:
            drv.submit()
        else:
            drv.answer()
            drv.consume()
    break_before(drv, a.faults)
    truth = {'nr_pfns': NPFN, 'req_prod': drv.req_prod, 'resp_prod': drv.resp_prod,
             'resp_cons': drv.resp_cons, 'rec_ring_free': drv.free,
             'rec_ring': drv.log_va, 'blk_ring': drv.ring_va}
    answered = set()
    for i in range(drv.resp_cons, drv.resp_prod):
        answered.add(struct.unpack_from('<I', drv.ring[i % 64])[0])
    if drv.truth:
        break_after(drv, a.faults, truth)
    drv.layout()
    if 'null' in a.faults:
        g.pages[g.pfn(drv.log_va)][:] = bytes(PAGE)
    bss = TEXT + 100 * PAGE + 0x200
    null = 'null' in a.faults
    order = ['nr_vbds', 'vbd_info', 'recovery', 'rec_ring', 'req_prod', 'resp_cons', 'blk_ring',
             'state', 'last_req_prod', 'blkif_evtchn']
    value = {'nr_vbds': 0 if null else len(drv.disks), 'vbd_info': 0 if null else drv.vbd_va,
             'recovery': int('recovery' in a.faults), 'rec_ring': 0 if null else drv.log_va,
             'req_prod': drv.req_prod, 'resp_cons': drv.resp_cons,
             'blk_ring': 0 if null else drv.ring_va,
             'state': 0 if null else 1 if 'recovery' in a.faults else 2,
             'last_req_prod': drv.req_prod, 'blkif_evtchn': 5}
    symbols = []
    for i, name in enumerate(order):
        g.w32(bss + 4 * i, value[name])
        symbols.append((name, bss + 4 * i, 4))
    for i, (name, v) in enumerate((('rec_ring_free', NIL if null else drv.free),
                                   ('xpmap_phys_to_machine_mapping', drv.p2m_va), ('state', 77),
                                   ('state', 99), ('recovery', 1))):
        g.w32(bss + 0x1000 + 4 * i, v)
        symbols.append((name, bss + 0x1000 + 4 * i, 4))
    text = b'NetBSD 3.99.21 (XENU) #0: Sun Apr 23 21:48:12 UTC 2006\n\0'
    g.write(TEXT + 90 * PAGE + 0x30, text)
    l2 = page_tables(g)
    for fault, va in (('noring', drv.ring_va), ('nolog', drv.log_va), ('noxbdreqs', drv.xr_va),
                      ('nop2m', drv.p2m_va)):
        if fault in a.faults:
            g.missing.add(g.pfn(va))
    hole = next((s['pfn'] for t in drv.truth.values() for s in t['segments']), 999)
    g.missing.add(hole)
    save(a.out, g, l2, drv, b'root=wd0a bootdev=wd0')
    if a.elf:
        elf(a.elf, symbols)
    truth['missing'] = sorted(g.missing)
    truth['pending'] = []
    for slot, t in sorted(drv.truth.items()):
        if null:
            break
        truth['pending'].append(dict(t, recorded_sector=drv.log[slot]['sector'],
                                     answered=slot in answered,
                                     in_window=t['index'] >= drv.resp_prod,
                                     in_ring=t['index'] >= drv.req_prod - 64))
    if a.truth:
        with open(a.truth, 'w') as f:
            json.dump(truth, f)


if __name__ == '__main__':
    main()
