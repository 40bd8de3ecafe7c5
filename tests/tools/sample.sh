#!/bin/sh
# sample.sh: of the lines of standard input the first and each SAMPLE-th after it; all where that is
# not set. What has a long series of cases takes them through this: some for `make check`, all for
# `make check-all`.
exec awk -v n="${SAMPLE:-1}" 'n < 2 || NR % n == 1'
