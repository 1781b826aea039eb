package serve

import (
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
	store   storeState    // as sent last
	view    view
}

// stream handles /api/v1/stream. It sends the list of elections and groups, or one of them, and
// afterwards what changes.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Has("election") && query.Has("group") {
		fail(w, http.StatusBadRequest, "use ?election=NAME or ?group=NAME, and not both")
		return
	}
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
	st := &streamer{server: s, w: w, control: http.NewResponseController(w)}
	if r.Method == http.MethodHead {
		return
	}
	var done func()
	st.view, done = s.feed.view(query)
	defer done()
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
	if text = st.view.append(r.Context(), text, s); len(text) == 0 {
		return nil
	}
	return st.write(text)
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
