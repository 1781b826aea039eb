package serve

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
)

// currentGroups returns a new reading of the groups, or answers that the store cannot be read.
func (s *server) currentGroups(w http.ResponseWriter) *overview.GroupReading {
	now := s.feed.groupReader.Read()
	if failedRead(w, now.Err) {
		return nil
	}
	return now
}

// foundGroup returns the group that a request names, or answers that there is none.
func (s *server) foundGroup(w http.ResponseWriter, r *http.Request) *overview.Group {
	name := r.URL.Query().Get("group")
	now := s.currentGroups(w)
	if now == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(now.Groups, name, func(g overview.Group, name string) int { return strings.Compare(g.Name, name) })
	switch {
	case found:
		return &now.Groups[i]
	case name == "":
		fail(w, http.StatusNotFound, "no group is named: use ?group=NAME; /api/v1/list has the names")
	default:
		fail(w, http.StatusNotFound, s.noGroup(name))
	}
	return nil
}

func (s *server) noGroup(name string) string {
	return "there is no group " + election.SafeText(name) + " below " + election.SafeText(s.feed.root)
}

func (s *server) groupStatus(w http.ResponseWriter, r *http.Request) {
	if g := s.foundGroup(w, r); g != nil {
		answer(w, http.StatusOK, s.feed.groupStatusOf(&g.Summary, g.Name))
	}
}

func (s *server) groupMembers(w http.ResponseWriter, r *http.Request) {
	if g := s.foundGroup(w, r); g != nil {
		answer(w, http.StatusOK, report.GroupMembersOf(g.Members))
	}
}

// usualShards is how many shards are sent by default.
const usualShards = 1000

// groupShards answers with shards of a group: all of them, those of a leader or the free ones, and
// those whose name contains a text.
func (s *server) groupShards(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, ok := limitOf(w, r, usualShards)
	if !ok {
		return
	}
	free := query.Has("free") && query.Get("free") != "false"
	if free && query.Get("leader") != "" {
		fail(w, http.StatusBadRequest, "a free shard has no leader; use either leader or free")
		return
	}
	g := s.foundGroup(w, r)
	if g == nil {
		return
	}
	d, done := s.feed.openGroup(g.Name)
	defer done()
	list, err := d.shards(r.Context(), s.feed, limit, query.Get("leader"), free, query.Get("name"))
	if !s.answered(w, err, g.Name) {
		answer(w, http.StatusOK, list)
	}
}

// groupHistory answers with the last changes of a group, newest first.
func (s *server) groupHistory(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(w, r, usualEvents)
	if !ok {
		return
	}
	g := s.foundGroup(w, r)
	if g == nil {
		return
	}
	ctx, cancel := clock.WithTimeout(r.Context(), s.feed.clock, readLimit)
	defer cancel()
	query := r.URL.Query()
	events, version, err := groups.History(group.New(s.feed.space.Sub(g.Name)), func(fn func(tr kv.ReadTransaction) (group.Changes, error)) (group.Changes, error) {
		return kv.ReadTransact(ctx, s.feed.db, fn)
	}, limit, groups.Wanted(query.Get("shard"), query.Get("member")))
	if s.answered(w, err, g.Name) {
		return
	}
	list := make([]report.GroupEvent, len(events))
	for i := range events {
		list[len(events)-1-i] = report.GroupEventOf(&events[i], s.feed.clock.Wall(), version)
	}
	answer(w, http.StatusOK, list)
}

// answered answers with an error, if there is one.
func (s *server) answered(w http.ResponseWriter, err error, name string) bool {
	if errors.Is(err, fdbelection.ErrNotInitialized) { // it was deleted just now
		fail(w, http.StatusNotFound, s.noGroup(name))
		return true
	}
	return failedRead(w, err)
}

// limitOf returns the limit of a request, or answers that it is not valid.
func limitOf(w http.ResponseWriter, r *http.Request, usual int) (limit int, ok bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, true
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 0 {
		fail(w, http.StatusBadRequest, "limit is "+election.SafeText(text)+"; use 0 for all, or how many to send")
		return 0, false
	}
	return limit, true
}
