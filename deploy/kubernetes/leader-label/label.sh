#!/bin/sh
# Moves the label role=leader to the pod $FDBELECT_LEADER. "fdbelect run --observe" runs it on each change
# of the leader. If the API server does not answer, it tries five times.
set -u

label() {
	pods=$(kubectl get pods --selector app=worker,role=leader --output name) || return
	for pod in $pods; do
		if [ "$pod" != "pod/$FDBELECT_LEADER" ]; then kubectl label "$pod" role- || return; fi
	done
	if [ -n "$FDBELECT_LEADER" ]; then kubectl label --overwrite "pod/$FDBELECT_LEADER" role=leader; fi
}

for try in 1 2 3 4 5; do
	label && exit
	echo "attempt $try failed" >&2
	sleep 1
done
exit 1
