#!/usr/bin/env python3
"""netbsd-truth.py DUMP.json TRUTH.json [--every]: does the dump list what the truth says?

Each pending request once and no other; operation, disk, length, segments; no sector that is wrong.
With --every no sector may be unknown either. Says the first differences and ends 1.
"""
import json
import sys


def main():
    dump = json.load(open(sys.argv[1]))
    truth = json.load(open(sys.argv[2]))
    every = '--every' in sys.argv
    bad = []
    seen = {}
    for device in dump['devices']:
        for request in device['requests']:
            if request['slot'] in seen:
                bad.append(f"slot {request['slot']} twice")
            seen[request['slot']] = (device, request)
    for want in truth['pending']:
        slot = want['slot']
        if slot not in seen:
            bad.append(f"slot {slot} is not there")
            continue
        device, request = seen.pop(slot)
        if want['op'].lower() != request['op']:
            bad.append(f"slot {slot}: op {request['op']}, not {want['op']}")
        if want['device'] != (device['handle'] or 0):
            bad.append(f"slot {slot}: device {device['handle']}, not {want['device']}")
        if request['sector'] is None:
            if every:
                bad.append(f"slot {slot}: sector unknown, not {want['sector']}")
        elif request['sector'] != want['sector']:
            bad.append(f"slot {slot}: sector {request['sector']}, not {want['sector']}")
        if (request['sector'] is None) != (request['sector_from'] is None):
            bad.append(f"slot {slot}: sector without source, or source without sector")
        if str(want['recorded_sector']) in json.dumps(request):
            bad.append(f"slot {slot}: the garbage of the log is shown")
        segments = [(int(s['pfn'], 0), s['offset'], s['bytes'], int(s['source_mfn'], 0),
                     s['present']) for s in request['segments']]
        wanted = [(s['pfn'], 512 * s['first'], 512 * (s['last'] - s['first'] + 1), s['mfn'],
                   s['pfn'] not in truth['missing']) for s in want['segments']]
        if segments != wanted:
            bad.append(f"slot {slot}: segments {segments}, not {wanted}")
        if request['op'] != 'probe' and request['nr_sectors'] * 512 != sum(s[2] for s in wanted):
            bad.append(f"slot {slot}: {request['nr_sectors']} sectors")
    bad += [f"slot {slot} is not pending" for slot in seen]
    print('\n'.join(bad[:20]))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
