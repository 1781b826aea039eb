package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

const (
	// keepAlive is the time between two comments in a stream, which show that the server is
	// there. A client that takes a write for longer than writeLimit is dropped.
	keepAlive  = 15 * time.Second
	writeLimit = 10 * time.Second
	// mostStreams is how many pages can be open at a time.
	mostStreams = 512
)

// streamer sends server-sent events to one page.
type streamer struct {
	server  *server
	w       http.ResponseWriter
	control *http.ResponseController
	idle    elector.Timer // until the next comment
	query   string        // the name of the election
	detail  *detail       // of that election; nil: the list is asked for

	// As sent last.
	store   storeState
	known   bool // everything was sent once
	listed  []*row
	leftOut int
	parts   parts
}

// stream handles /api/v1/stream. It sends the list of elections or one election, and
// afterwards what changes.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		fail(w, http.StatusServiceUnavailable, "too many pages are open")
		return
	}
	news, closePage := s.feed.open(r.Context())
	defer closePage()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	st := &streamer{server: s, w: w, control: http.NewResponseController(w), query: r.URL.Query().Get("election")}
	if r.Method == http.MethodHead {
		return
	}
	if r.URL.Query().Has("election") {
		var closeDetail func()
		st.detail, closeDetail = s.feed.openDetail(st.query)
		defer closeDetail()
	}
	st.run(r, news)
}

func (st *streamer) run(r *http.Request, news <-chan struct{}) {
	ticks := make(chan struct{}, 1)
	st.idle = st.server.feed.clock.AfterFunc(keepAlive, func() {
		select {
		case ticks <- struct{}{}:
		default:
		}
	})
	defer st.idle.Stop()
	err := st.control.SetReadDeadline(time.Time{}) // the one of the request would end the stream
	if err == nil {
		err = st.write([]byte(": welcome\n\n"))
	}
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-ticks:
			err = st.write([]byte(":\n\n"))
		case <-news:
			err = st.update(r)
		}
	}
}

// update sends what has changed since the last update.
func (st *streamer) update(r *http.Request) error {
	s := st.server.feed.latest()
	var text []byte
	if st.store != s.store {
		text = event(text, "store", mustEncode(s.store))
		st.store = s.store
	}
	switch {
	case st.detail != nil:
		now, err := st.detail.update(r.Context(), st.server.feed, s, st.query)
		if err == nil && now.known { // if it fails, the next snapshot says that the store is away
			text = st.appendParts(text, now, s)
		}
	case s.known:
		text = st.appendList(text, s)
	}
	if len(text) == 0 {
		return nil
	}
	return st.write(text)
}

func (st *streamer) appendList(text []byte, s *snapshot) []byte {
	if c, changed := changeOf(st.listed, s.listed, !st.known); changed || st.leftOut != s.leftOut {
		if !st.known {
			c.Set = s.all()
		}
		text = event(text, "elections", mustEncode(struct {
			change
			LeftOut int `json:"left_out"`
		}{c, s.leftOut}))
	}
	st.listed, st.leftOut, st.known = s.listed, s.leftOut, true
	return text
}

func (st *streamer) appendParts(text []byte, now parts, s *snapshot) []byte {
	if !st.known || st.parts.status != now.status {
		data := json.RawMessage("null")
		switch {
		case now.status == nil:
		case st.known:
			data = now.status.data
		default:
			data = mustEncode(st.server.feed.statusOf(now.election, s.reading))
		}
		text = event(text, "status", data)
	}
	if c, changed := changeOf(st.parts.candidates, now.candidates, !st.known); changed {
		if !st.known && now.election != nil {
			c.Set = encodeCandidates(now.election, s.reading)
		}
		text = event(text, "candidates", mustEncode(c))
	}
	if c, changed := changeOf(st.parts.history, now.history, !st.known); changed {
		text = event(text, "history", mustEncode(c))
	}
	st.parts, st.known = now, true
	return text
}

// event appends a server-sent event. JSON is one line.
func event(text []byte, name string, data []byte) []byte {
	return fmt.Appendf(text, "event: %s\ndata: %s\n\n", name, data)
}

// write sends a text at once. An error ends the stream.
func (st *streamer) write(text []byte) error {
	if err := st.control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := st.w.Write(text); err != nil {
		return err
	}
	st.idle.Reset(keepAlive)
	return st.control.Flush()
}
