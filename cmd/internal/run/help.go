package run

const runHelp = `run registers a candidate and campaigns. While it leads it runs the command, if there
is one; without one it only holds leadership. stdout belongs to the command. The command
reads nothing from stdin.

THE ENVIRONMENT may stand in for each flag: FDBELECT_ and the name of the flag in capitals,
with _ for -, such as FDBELECT_ID and FDBELECT_PRE_STOP. A flag on the command line wins,
and an empty variable counts as not set. FDBELECT_TAG takes several tags, separated by
commas. With --observe, variables that are for a candidate are ignored. Other subcommands
read FDBELECT_STORE, FDBELECT_ROOT and FDBELECT_ELECTION.

THE LOG goes to stderr, as text or with --log-format json, from --log-level on. Each line
has the time, the level, the election and the id. run logs each change of the leader and
of its own role, the start and the end of the command with its process id, and why the
command ended. If run itself was killed, the guard logs the end. Losing leadership is a warning. At level debug it also logs every heartbeat
and what the elector itself logs.

THE COMMAND finds in its environment:

  FDBELECT_TOKEN     the fencing token: election.ParseToken reads it, and
                     RequireLeadership makes a transaction commit only under it
  FDBELECT_TERM      its term, for whatever else is written to: that should refuse
                     a term lower than one it has seen
  FDBELECT_NODE_ID, FDBELECT_BALLOT
  FDBELECT_STORE, FDBELECT_ROOT, FDBELECT_ELECTION
                     where the election is; fdbelect itself reads them too

IT ENDS with the tenure: its process group gets SIGTERM, then SIGKILL, and is dead
before the lease can end. A guard, which is a small process beside run, holds the
deadline, as an instant of a clock that counts the sleep of the machine. It ends
the command also where run is stopped, hangs or is killed. Where the guard is
killed, run ends the command; on Linux the kernel does so as well. Nothing of the
group outlives the command. What leaves the group (setsid) is out of reach. Where
all of it stands still, as when the machine sleeps, the command may run for a
moment when it wakes: only the fencing token protects then. Windows has no guard:
there run alone ends the command, and only the command itself, by force.

SIGTERM AND SIGINT have run stop the command, which may take as long as
--pre-stop says, and as long the lease is renewed. Then it gives up its seat and
leaves. A second one, at least a quarter of a second later, kills the command at once, and
run tries to leave for one second more. SIGHUP, SIGUSR1, SIGUSR2 and SIGWINCH are passed
on to the command, and dropped while none runs. Without a command SIGHUP ends run.

A COMMAND THAT ENDS by itself ends run, with its exit code, or 128 plus the number
of the signal. If run was asked to stop and the command stopped in time, the exit code is
0. If the command had to be killed, it is 137. With --restart on-failure it is started again where it has failed,
with --restart always in any case: after 200ms, then after twice as long each
time, up to 30s, until it has run for longer than that. The seat is kept meanwhile.
With --once run leaves after the first tenure, with exit code 3 where leadership
was lost before the command had ended.

TWO PROCESSES UNDER ONE ID: one of them ends with exit code 79, and the history names
it. Give each an --id of its own. Under systemd, RestartPreventExitStatus=79 keeps it
from being started again.

--observe is no candidate, and writes nothing. It runs the command at the start
and upon every change of the leader, with FDBELECT_LEADER (empty while nobody
leads), FDBELECT_TERM and FDBELECT_BALLOT, and where the election is. One runs at a
time: what changes meanwhile is told by the next one, with the newest state. So
states in between may be left out, and the last one never is.`

const runExamples = `  fdbelect run --store file:/tmp/demo.db --id a --priority 1
  fdbelect run --store file:/tmp/demo.db --id b --lease 2s -- ./worker --verbose
  fdbelect run --store file:/tmp/demo.db --id c --tag addr=10.0.0.3:80 --restart on-failure -- ./worker
  fdbelect run --store file:/tmp/demo.db --id d --once -- ./migrate-the-database
  fdbelect run --store file:/tmp/demo.db --observe -- sh -c 'echo "$FDBELECT_LEADER leads"'`
