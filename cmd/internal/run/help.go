package run

const runHelp = `run registers a candidate and campaigns. While it leads, it runs the command. Without a
command it only holds leadership. stdout belongs to the command. The command gets no stdin.

VARIABLES. Each flag has an environment variable: FDBELECT_ and the name of the flag in
capitals, with _ for -, such as FDBELECT_ID and FDBELECT_PRE_STOP. A flag on the command
line wins, and an empty variable counts as not set. FDBELECT_TAG takes several tags,
separated by commas. With --observe, variables for candidates are ignored. Other
subcommands read FDBELECT_STORE, FDBELECT_ROOT and FDBELECT_ELECTION.

LOG. The log goes to stderr, as text or with --log-format json, from --log-level on. Each
line has the time, the level, the election and the id. run logs each change of the leader
and of its own role, the start and the end of the command with its process id, and why the
command ended. If run itself was killed, the guard logs the end. Lost leadership is a
warning. At level debug, run also logs every heartbeat and the records of the elector.

COMMAND. The command gets these variables:

  FDBELECT_TOKEN     the fencing token: election.ParseToken reads it, and
                     RequireLeadership makes a transaction commit only under it
  FDBELECT_TERM      its term, for other systems: they should refuse a lower term
                     than the highest they have seen
  FDBELECT_NODE_ID, FDBELECT_BALLOT
  FDBELECT_STORE, FDBELECT_ROOT, FDBELECT_ELECTION
                     where the election is; fdbelect itself reads them too

END OF THE TENURE. The process group of the command gets SIGTERM, then SIGKILL, and has
ended before the lease can end. A guard, a small process beside run, holds the deadline on
a clock that counts the time in which the machine is suspended. It also ends the command
if run is stopped, hangs or is killed. If the guard is killed, run ends the command, and on
Linux the kernel does too. Nothing of the group outlives the command. Processes that leave
the group (setsid) are out of reach. If all of it is stopped, as on a suspended machine,
the command may continue for a moment afterwards: only the fencing token protects then.
Windows has no guard: run alone ends the command, and only the command itself, by force.

SIGTERM AND SIGINT make run stop the command, which may take as long as --pre-stop says.
The lease is renewed meanwhile. Then run resigns and unregisters. A second signal, at least
a quarter of a second later, kills the command at once, and run tries to unregister for one
more second. SIGHUP, SIGUSR1, SIGUSR2 and SIGWINCH are forwarded to the command, and
dropped while none runs. Without a command, SIGHUP ends run.

A COMMAND THAT ENDS by itself ends run, with its exit code, or with 128 plus the number of
the signal. If run was asked to stop and the command stopped in time, the exit code is 0.
If the command had to be killed, it is 137. With --restart on-failure a command that failed
is started again, with --restart always any command: after 200ms, then after twice as long
each time, up to 30s, until it has run for longer than that. Leadership is kept meanwhile.
With --once, run leaves after the first tenure, with exit code 3 if leadership was lost
before the command ended.

TWO PROCESSES WITH ONE ID: one of them ends with exit code 79, and the history names it.
Give each an --id of its own. With systemd, RestartPreventExitStatus=79 keeps it from being
started again.

--observe does not campaign, and writes nothing. It runs the command at the start and at
every change of the leader, with FDBELECT_LEADER (empty if there is no leader),
FDBELECT_TERM, FDBELECT_BALLOT and the variables of the election. One command runs at a
time. If the leader changes meanwhile, the next command gets the newest state. So states in
between may be skipped, but never the last one.`

const runExamples = `  fdbelect run --store file:/tmp/demo.db --id a --priority 1
  fdbelect run --store file:/tmp/demo.db --id b --lease 2s -- ./worker --verbose
  fdbelect run --store file:/tmp/demo.db --id c --tag addr=10.0.0.3:80 --restart on-failure -- ./worker
  fdbelect run --store file:/tmp/demo.db --id d --once -- ./migrate-the-database
  fdbelect run --store file:/tmp/demo.db --observe -- sh -c 'echo "$FDBELECT_LEADER leads"'`
