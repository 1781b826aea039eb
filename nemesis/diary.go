package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The kinds of an entry.
const (
	believes = "believes" // the work of Term runs, and its lease allows it
	claimed  = "claimed"  // a tenure has begun, at some time between Call and At
	wrote    = "wrote"    // a fenced write has committed as Row
	refused  = "refused"  // a fenced write has surely not committed
	unsure   = "unsure"   // a fenced write may have committed
	read     = "read"     // the leader record
	up       = "up"       // a worker was started
	down     = "down"     // a worker has ended
	struck   = "struck"   // a fault, from Call to At
	probed   = "probed"   // the nemesis has used the store. Text says what was wrong
	stalled  = "stalled"  // the machine did not run the nemesis from Call to At
	opened   = "opened"   // the judged time begins
	closed   = "closed"   // the judged time ends
	noted    = "noted"    // for readers only
)

// entry is one line of a diary. Its stamps are of CLOCK_BOOTTIME, which all processes of the
// machine share.
type entry struct {
	Kind   string        `json:"kind"`
	Call   time.Duration `json:"call,omitempty"` // when it began
	At     time.Duration `json:"at"`             // when it was done
	Term   uint64        `json:"term,omitempty"`
	Ballot uint64        `json:"ballot,omitempty"`
	Token  string        `json:"token,omitempty"` // of the tenure. Empty if leadership is vacant
	Row    int64         `json:"row,omitempty"`
	Writer string        `json:"writer,omitempty"` // of a fenced write
	Number int64         `json:"number,omitempty"` // of a write of this writer
	Target string        `json:"target,omitempty"` // the worker, or everyone
	Text   string        `json:"text,omitempty"`
}

// everyone is the Target of a fault that concerns all workers.
const everyone = "all"

const diarySuffix = ".jsonl"

// diary is the file of one process. A line is in it as soon as write has returned, even if the
// process is killed right after that.
type diary struct {
	mu   sync.Mutex
	file *os.File
}

func openDiary(dir, name string) (*diary, error) {
	file, err := os.OpenFile(filepath.Join(dir, name+diarySuffix), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &diary{file: file}, nil
}

// write panics if the line cannot be written: without it the judge would be blind.
func (d *diary) write(e entry) {
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.file.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

// account is the diary of one process.
type account struct {
	Name    string
	Entries []entry
}

// readDiaries reads all diaries of a directory. Only the last line of a diary may be torn.
func readDiaries(dir string) ([]account, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+diarySuffix))
	if err != nil {
		return nil, err
	}
	var all []account
	for _, name := range names {
		entries, err := readDiary(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, account{strings.TrimSuffix(filepath.Base(name), diarySuffix), entries})
	}
	return all, nil
}

func readDiary(name string) ([]entry, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	var entries []entry
	var torn error
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if torn != nil {
			return nil, torn
		}
		var e entry
		if torn = json.Unmarshal(lines.Bytes(), &e); torn == nil {
			entries = append(entries, e)
		}
	}
	return entries, lines.Err()
}
