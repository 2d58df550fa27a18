#!/usr/bin/env bash
# A sweep by GNU parallel, on this machine or on others that share its folder.
#
#   herder sweep plan chat --vary control.balancer=random,least-load --seeds 30 --out /shared/study
#   deploy/parallel/sweep.sh /shared/study 16                        # 16 shares, as many at a time as there are cores
#   deploy/parallel/sweep.sh /shared/study 16 --sshlogin node1,node2   # on these machines; herder is on their paths
set -euo pipefail
folder=${1:?the folder of the sweep}
shares=${2:?the number of shares}
shift 2
seq "$shares" | parallel --halt now,fail=1 "$@" herder sweep run "$folder" --threads 1 --shard "{}/$shares"
herder sweep merge "$folder"
