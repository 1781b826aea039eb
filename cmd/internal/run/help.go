package run

const runHelp = `run registers a candidate and campaigns. While it leads, it runs the command. Without a
command it only holds leadership. stdout belongs to the command. The command gets no
input on stdin.

THE ENVIRONMENT can set every flag. The variable is FDBELECT_ and the name of the flag in
capitals, with _ for -, such as FDBELECT_ID and FDBELECT_PRE_STOP. A flag on the command
line wins, and an empty variable counts as not set. FDBELECT_TAG takes several tags,
separated by commas. With --observe, variables that only a candidate has are ignored.
Other subcommands read FDBELECT_STORE, FDBELECT_ROOT and FDBELECT_ELECTION.

THE LOG goes to stderr, as text or with --log-format json, from --log-level on. Each line
has the time, the level, the election and the id. run logs each change of the leader and
of its own role, the start and the end of the command with its process id, and why the
command ended. If run itself was killed, the guard logs the end. The loss of leadership is
a warning. At level debug run also logs every heartbeat and the records of the elector.

THE COMMAND gets these variables:

  FDBELECT_TOKEN     the fencing token. election.ParseToken reads it, and a transaction
                     with RequireLeadership commits only if it is the newest
  FDBELECT_TERM      its term, for other systems that the command writes to. They should
                     refuse a term lower than the highest they have seen
  FDBELECT_NODE_ID, FDBELECT_BALLOT
  FDBELECT_STORE, FDBELECT_ROOT, FDBELECT_ELECTION
                     the election. fdbelect reads these too

THE COMMAND ENDS with the tenure. Its process group gets SIGTERM, then SIGKILL, and is dead
before the lease can end. A guard ensures this even if run is stopped, hangs or is killed.
The guard is a small process beside run that holds the deadline, on a clock that also runs
while the machine is suspended. If the guard is killed, run ends the command. On Linux the
kernel does so too. Nothing in the process group outlives the command. A process that leaves
the group (setsid) is out of reach. If run, guard and command all stand still, as on a
suspended machine, the command may run for a moment afterwards. Only the fencing token
protects then. Windows has no guard. There run alone ends the command, and only the command
itself, by force.

ON SIGTERM OR SIGINT run stops the command, which may take as long as --pre-stop says. The
lease is renewed until the command has ended. Then run resigns and unregisters. A second
signal, at least a quarter of a second later, kills the command at once, and run tries to
leave for one more second. run passes SIGHUP, SIGUSR1, SIGUSR2 and SIGWINCH on to the
command, and drops them while it does not run. Without a command, SIGHUP ends run.

WITH --hand-over-to run does not resign when it is asked to stop. It hands leadership over to
the process that replaces it, after the command has ended, so that leadership is never
vacant. That process is started before, with an id of its own, such as
--id "$(hostname)/$$" or --id "$(hostname)/$RELEASE". --hand-over-to "$(hostname)/*" then
means the newest candidate of this host, whatever its id is. If there is no such candidate,
run resigns and logs that. A process that does not lead only leaves.

IF THE COMMAND ENDS by itself, run ends with its exit code, or with 128 plus the number of
the signal. If run was asked to stop and the command stopped in time, the exit code is 0. If
the command had to be killed, it is 137. With --restart on-failure a failed command is
started again, and with --restart always every command. run holds leadership meanwhile. The
first restart comes after 200ms. The delay doubles each time, up to 30s, and starts again at
200ms after the command has run for more than 30s. With --once run leaves after the first
tenure. Its exit code is 3 if leadership was lost before the command had ended.

AFTER AN OUTAGE OF THE STORE that was longer than the lease, the last leader claims at once,
and the others wait for --head-start. So the command stays where it was, if that process is
alive. A process waits only if its own store did not answer for a lease, and not if it may
preempt the last leader.

IF THE COMMAND FAILS AGAIN AND AGAIN, run leaves leadership to another candidate: after
--give-up-after failures within --give-up-window, in one tenure. It resigns and stays a
candidate, and does not claim for a lease, and for twice as long after each further such
tenure, up to 32 leases. "fdbelect status" shows that. If no other candidate is alive, ready
and without such a delay, run keeps leadership and starts the command again. An exit code of
0 is not a failure.

WITH --ready-command OR --ready-http run leads only if it is ready. It checks at the start,
and then --ready-period after the end of each check, also while it leads. The settings have
the names that Kubernetes gives them, with a shorter period. Before the first success it is
not ready. A candidate that is not ready is listed with the reason, and others lead. A leader
that is not ready any more stops its command, resigns and holds off as after failures. If no
candidate is ready, there is no leader, unless --lead-unready-after is set. Check what the
host needs to lead, such as a disk or a warm standby, and not the command that runs only
while run leads: if that decided, no candidate would ever lead.

The command of --ready-command runs in a shell (sh -c), with the variables of the election
and FDBELECT_NODE_ID. Exit code 0 means ready. The last line that it prints is part of the
reason. When it ends or --ready-timeout is over, it is killed with its process group.

The URL of --ready-http is requested with GET. A status of 200 to 399 means ready. Redirects
to the same host are followed, and one to another host is the answer. No proxy is used.
Certificates are verified, which Kubernetes does not do. SSL_CERT_FILE names other
authorities, and with --ready-command curl can skip this.

WITH --metrics run serves HTTP on that address, for this host only if it is a port. /metrics
has what this process knows of itself, for Prometheus. /livez answers 200 if the process
works in any role, /readyz if it also takes part and is ready to lead, and /leaderz while it
leads. Other answers are 503, with the reason. With --observe, /metrics has all elections
below the root, as an outsider sees them, and costs one read of them per second at most.
There is no TLS and no password, so keep other hosts out.

UNDER SYSTEMD, with Type=notify, run tells the service manager when it has read the election,
its role in words, that its loop is alive (WatchdogSec) and that it stops. Its command does
not get NOTIFY_SOCKET.

TWO PROCESSES WITH ONE ID: one of them ends with exit code 79, and the history names it.
Give each an --id of its own. Under systemd, RestartPreventExitStatus=79 prevents a restart.

WITH --observe run does not register a candidate, and writes nothing. It runs the command at
the start, on every change of the leader, and on every change of the leader's tags, with
FDBELECT_LEADER (empty if there is no leader), FDBELECT_LEADER_TAGS (a JSON object),
FDBELECT_TERM, FDBELECT_BALLOT and the variables of the election. One command runs at a
time. The next one gets the newest state. States in between may be skipped, but never the
last one.`

const runExamples = `  fdbelect run --store file:/tmp/demo.db --id a --priority 1
  fdbelect run --store file:/tmp/demo.db --id b --lease 2s -- ./worker --verbose
  fdbelect run --store file:/tmp/demo.db --id c --tag addr=10.0.0.3:80 --restart on-failure -- ./worker
  fdbelect run --store file:/tmp/demo.db --id d --once -- ./migrate-the-database
  fdbelect run --store file:/tmp/demo.db --id "$(hostname)/$$" --hand-over-to "$(hostname)/*" -- ./worker
  fdbelect run --store file:/tmp/demo.db --id e --ready-command 'test -w /tmp' -- ./worker
  fdbelect run --store file:/tmp/demo.db --id f --metrics 9100 -- ./worker
  fdbelect run --store file:/tmp/demo.db --observe -- sh -c 'echo "$FDBELECT_LEADER leads"'`
