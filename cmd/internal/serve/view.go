package serve

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/fdbelection/fdbelection/group"
)

// view is what one page shows. It remembers what was sent last.
type view interface {
	// append appends the events for what has changed since the last call.
	append(ctx context.Context, text []byte, s *snapshot) []byte
}

// view returns what a page asks for by its query. Call done at the end of the page.
func (f *feed) view(query url.Values) (v view, done func()) {
	switch {
	case query.Has("election"):
		name := query.Get("election")
		d, done := f.elections.open(name, func() *detail { return &detail{} })
		return &electionView{feed: f, name: name, detail: d}, done
	case query.Has("group"):
		name := query.Get("group")
		d, done := f.openGroup(name)
		return &groupView{feed: f, name: name, detail: d}, done
	default:
		return &listView{}, func() {}
	}
}

// openGroup returns what the pages of a group share, for one more page. Call done at its end.
func (f *feed) openGroup(name string) (d *groupDetail, done func()) {
	return f.groups.open(name, func() *groupDetail { return &groupDetail{group: group.New(f.space.Sub(name))} })
}

// listView is the list of elections and groups.
type listView struct {
	known               bool // everything was sent once
	elections, groups   []*row
	leftOut, groupsLeft int
}

func (v *listView) append(_ context.Context, text []byte, s *snapshot) []byte {
	if !s.known {
		return text
	}
	c, changed := changeOf(v.elections, s.listed, !v.known)
	if !v.known {
		c.Set = s.all()
	}
	text = appendList(text, "elections", c, changed || v.leftOut != s.leftOut, s.leftOut)
	c, changed = changeOf(v.groups, s.groups, !v.known)
	text = appendList(text, "groups", c, changed || v.groupsLeft != s.groupsLeft, s.groupsLeft)
	*v = listView{true, s.listed, s.groups, s.leftOut, s.groupsLeft}
	return text
}

func appendList(text []byte, name string, c change, changed bool, leftOut int) []byte {
	if !changed {
		return text
	}
	return event(text, name, mustEncode(struct {
		change
		LeftOut int `json:"left_out"`
	}{c, leftOut}))
}

// electionView is one election.
type electionView struct {
	feed   *feed
	name   string
	detail *detail
	known  bool // everything was sent once
	parts  parts
}

func (v *electionView) append(ctx context.Context, text []byte, s *snapshot) []byte {
	now, err := v.detail.update(ctx, v.feed, s, v.name)
	if err != nil || !now.known { // if it fails, the next snapshot says that the store is away
		return text
	}
	if !v.known || v.parts.status != now.status {
		data := dataOf(now.status)
		if !v.known && now.status != nil {
			data = mustEncode(v.feed.statusOf(now.election, s.reading))
		}
		text = event(text, "status", data)
	}
	if c, changed := changeOf(v.parts.candidates, now.candidates, !v.known); changed {
		if !v.known && now.election != nil {
			c.Set = encodeCandidates(now.election, s.reading)
		}
		text = event(text, "candidates", mustEncode(c))
	}
	text = appendChange(text, "history", v.parts.history, now.history, !v.known)
	v.parts, v.known = now, true
	return text
}

// groupView is one group.
type groupView struct {
	feed   *feed
	name   string
	detail *groupDetail
	known  bool // everything was sent once
	parts  groupParts
}

func (v *groupView) append(ctx context.Context, text []byte, s *snapshot) []byte {
	now, err := v.detail.update(ctx, v.feed, s, v.name)
	if err != nil || !now.known { // if it fails, the next snapshot says that the store is away
		return text
	}
	text = appendChange(text, "members", v.parts.members, now.members, !v.known)
	text = appendChange(text, "seconds", v.parts.seconds, now.seconds, !v.known)
	text = appendChange(text, "events", v.parts.events, now.events, !v.known)
	if !v.known || v.parts.status != now.status { // at last, so that a page shows all at once
		text = event(text, "group", dataOf(now.status))
	}
	v.parts, v.known = now, true
	return text
}

// appendChange appends an event with what has changed in a list of rows. first says that none was
// sent yet.
func appendChange(text []byte, name string, before, now []*row, first bool) []byte {
	c, changed := changeOf(before, now, first)
	if !changed {
		return text
	}
	return event(text, name, mustEncode(c))
}

// dataOf returns the data of a row, which may be nil.
func dataOf(r *row) json.RawMessage {
	if r == nil {
		return json.RawMessage("null")
	}
	return r.data
}
