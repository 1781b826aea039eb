package run

const groupHelp = `group run joins a group as a member, and leads its share of the shards. For each of them it
runs the command. {} in the command is replaced by the name of the shard. Without a command
it only leads. stdout belongs to the commands. They get no input on stdin.

THE ENVIRONMENT can set every flag, as for "fdbelect run". The log is that of run as well. If
many lines of one kind come at once, it has the first ten in a second, and the number of the
others. If the group does not exist, group run waits until it is created with
"fdbelect group create".

A COMMAND gets these variables:

  FDBELECT_SHARD     the name of the shard
  FDBELECT_TOKEN     the fencing token of its tenure. election.ParseToken reads it, and
                     with the name of the shard it is a group.Token
  FDBELECT_TERM      its term, for other systems that the command writes to. They should
                     refuse a term lower than the highest they have seen for this shard
  FDBELECT_NODE_ID   the id of this member
  FDBELECT_STORE, FDBELECT_ROOT, FDBELECT_GROUP
                     the group. fdbelect reads these too

In a line for a shell, write "$FDBELECT_SHARD" and not {}: the shell would read a name with a
quote or a semicolon as a part of the line.

A COMMAND ENDS with the tenure of its shard. Its process group gets SIGTERM, and SIGKILL after
--pre-stop. If the session could not be renewed in time, that is before its lease can end.
The shard is handed over after the command has ended. One guard watches all commands, so that
they end in time even if group run is stopped, hangs or is killed. "fdbelect run --help"
describes what a guard can do and what it cannot.

IF A COMMAND ENDS by itself, the shard is released, and this member does not claim it for a
heartbeat. If the command failed, it does not claim the shard for twice as long after each
further failure in a row, up to 32 leases. Other members may lead it meanwhile. group run goes
on: there is no --restart.

ON SIGTERM OR SIGINT group run stops the commands, hands the shards over and leaves. The exit
code is then 0, or 137 if a command had to be killed. A second signal, at least a quarter of a
second later, kills the commands at once, and group run tries to leave for one more second.
Other signals are passed on as by run, to every command.

WITH --notify one command is run for all shards. It starts with the first shard, and gets a
line of JSON on stdin for each change:

  {"event":"acquire","shard":"a","term":3,"token":"3:..."}
  {"event":"release","shard":"a","term":3,"reason":"balance"}

It may work on a shard after acquire. After release it stops that work, and then writes to
stdout:

  {"released":"a","term":3}

The shard is handed over then. The same line without a release gives the shard up, as a command
does that ends. If the answer to a release takes longer than --pre-stop or than the lease, the
command is killed as a whole, because it may still work on that shard. It is also killed if it
writes anything else to stdout. Let it write its log to stderr. If the command ends or is
killed, all its shards are released, and the next shard starts it again. At the end all shards
are released one by one. Then stdin gets its end and the command SIGTERM, and SIGKILL after
--pre-stop.

WITH --ready-command OR --ready-http the member leads only if it is ready, as with run. A
member that is not ready hands its shards over and stays in the group.

WITH --metrics group run serves HTTP on that address, for this host only if it is a port.
/metrics has what this member knows of itself, for Prometheus. /livez answers 200 if the member
works, and /readyz if it also has joined, has read all records and is ready to lead. Other
answers are 503, with the reason. There is no /leaderz, because many members lead. There is no
TLS and no password, so keep other hosts out.

TWO PROCESSES WITH ONE ID: one of them ends with exit code 79. Give each an --id of its own.

THOUSANDS OF COMMANDS need as many processes: look at the limits of the system (ulimit -u, and
pids.max of the control group), and set --capacity. A command holds no file of group run. If a
command cannot be started, the log says why, and that counts as a failure.`

const groupExamples = `  fdbelect group run --store file:/tmp/demo.db --id a -- ./worker --queue {}
  fdbelect group run --store file:/tmp/demo.db --id b --tag addr=10.0.0.2:80 -- sh -c 'exec ./worker "$FDBELECT_SHARD"'
  fdbelect group run --store file:/tmp/demo.db --id c --weight 2 --capacity 500 -- ./worker {}
  fdbelect group run --store file:/tmp/demo.db --id d --notify -- ./worker-of-many
  fdbelect group run --store file:/tmp/demo.db --id e --metrics 9100 -- ./worker {}`
