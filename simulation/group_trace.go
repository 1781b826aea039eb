package simulation

// traceGroupCommit adds lines about the records that a commit has changed.
func (w *groupWorld) traceGroupCommit(c *groupCommit) {
	late := ""
	if c.entry.Late {
		late = ", late"
	}
	for i := range c.changes {
		change := &c.changes[i]
		switch {
		case change.after.Kind == 0:
			w.traceOf("", "%s removed %s %s%s", c.who(), change.kind, change.name, late)
		case change.after.Unreadable != nil:
			w.traceOf("", "%s damaged %s %s", c.who(), change.kind, change.name)
		case change.after.Shard != nil:
			w.traceOf("", "%s wrote %s (%s%s)", c.who(), change.after.Shard, change.after.Shard.Reason, late)
		case change.after.Member != nil:
			m := change.after.Member
			w.traceOf("", "%s wrote member %s (not ready: %q, draining: %v%s)", c.who(), m.Identity, m.NotReady, m.Draining, late)
		default:
			w.traceOf("", "%s wrote %s %s %s%v%s", c.who(), change.kind, change.name, change.after.Pin, change.after.Request, late)
		}
	}
	for i := range c.beats {
		if b := &c.beats[i]; b.before.Value == "" || b.after.Identity != b.before.Identity || b.after.Value == "" {
			w.traceOf("", "%s wrote beat %s %s after %s", c.who(), b.id, b.after.Identity, b.before.Identity)
		}
	}
}
