package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const storeChoices = `
  file:PATH         a file shared by the processes of this machine, as in --store file:/var/lib/app/election.db
  mem:              the memory of this process alone, as in --store mem:
  fdb:CLUSTERFILE   FoundationDB, as in --store fdb:/etc/foundationdb/fdb.cluster`

// A Store is a kind of store that a command has besides those of this package.
type Store struct {
	// Scheme is what stands before the colon in --store.
	Scheme string
	// Open opens what stands after it, and makes sure within the timeout that it
	// answers. Its error says what is wrong, and what to do.
	Open func(ctx context.Context, rest string, timeout time.Duration) (kv.Database, io.Closer, error)
	// Usage reports errors of Open that say that what stands after the colon is wrong in
	// itself. It may be nil.
	Usage func(error) bool
	// Permanent reports errors that no retry can mend.
	Permanent func(error) bool
	// Versions tells the versions of what is between this command and the data,
	// such as a client library and the servers; db is what Open returned. It may
	// return some together with an error. It may be nil.
	Versions func(ctx context.Context, db kv.Database) ([]Version, error)
}

// A Version is that of one part.
type Version struct {
	Part    string // such as "client API"
	Version string
}

// place is where an election is: a store, and a subspace in it.
type Place struct {
	Spec  string
	Name  string
	Root  string
	Flags *pflag.FlagSet // that these are from
}

func (p *Place) AddFlags(cmd *cobra.Command) {
	p.AddSpaceFlags(cmd)
	cmd.Flags().StringVar(&p.Name, "election", "default", "name of the election")
	FromEnvironment(cmd.Flags(), "election")
}

// addSpaceFlags is addFlags for what is about all elections below the root.
func (p *Place) AddSpaceFlags(cmd *cobra.Command) {
	p.AddStoreFlag(cmd)
	cmd.Flags().StringVar(&p.Root, "root", "fdbelection", "subspace that holds the elections, names separated by slashes")
	FromEnvironment(cmd.Flags(), "root")
}

func (p *Place) AddStoreFlag(cmd *cobra.Command) {
	p.Flags = cmd.Flags()
	cmd.Flags().StringVar(&p.Spec, "store", "", "where the election is kept: file:PATH, mem: or fdb:CLUSTERFILE (required)")
	FromEnvironment(cmd.Flags(), "store")
}

// checkStore makes sure that a store is named.
func (p *Place) CheckStore() error {
	if p.Spec == "" {
		return exit.Usage(errors.New("no store is named; there is no default, as each host would elect itself. Give --store or set " +
			Variable("store") + ":" + storeChoices))
	}
	return nil
}

// named is a flag as the user knows it.
func (p *Place) Named(flag string) string { return FlagName(p.Flags, flag) }

// resolve checks the flags, and returns the election that they name.
func (p *Place) Election() (*election.LeaderElection, error) {
	space, err := p.Space()
	if err != nil {
		return nil, err
	}
	if err := checkName(p.Named("election"), p.Name); err != nil {
		return nil, err
	}
	if slices.Contains(ReservedNames, p.Name) {
		return nil, exit.Usage(fmt.Errorf("%s %s is reserved: an election keeps its own records under that name, so if the root %s is an election itself, the two would mix; choose another name",
			p.Named("election"), p.Name, election.SafeText(p.Root)))
	}
	return election.New(space.Sub(p.Name)), nil
}

// space checks the flags, and returns the subspace that holds the elections.
func (p *Place) Space() (subspace.Subspace, error) {
	var none subspace.Subspace
	if err := p.CheckStore(); err != nil {
		return none, err
	}
	path := strings.Split(p.Root, "/")
	for _, name := range path {
		if err := checkName(p.Named("root"), name); err != nil {
			return none, err
		}
	}
	return subspace.New(path...), nil
}

// reserved are the names under which an election keeps its records, below its own
// path. An election by such a name could live in the records of another one.
var ReservedNames = []string{"config", "leader", "term", "intent", "candidates", "rank", "history"}

// checkName refuses names that nobody could read or type again.
func checkName(flag, name string) error {
	switch {
	case name == "":
		return exit.Usage(fmt.Errorf("%s has an empty name", flag))
	case len(name) > election.MaxIDBytes:
		return exit.Usage(fmt.Errorf("%s has a name of %d bytes; use at most %d", flag, len(name), election.MaxIDBytes))
	case !utf8.ValidString(name):
		return exit.Usage(fmt.Errorf("%s %s is not valid UTF-8", flag, election.SafeText(name)))
	case strings.ContainsFunc(name, unicode.IsControl):
		return exit.Usage(fmt.Errorf("%s %s contains a control character", flag, election.SafeText(name)))
	}
	return nil
}

// store is an open database.
type Database struct {
	kv.Database
	io.Closer
}

// open opens the store of a place. What only reads sets mustExist, so that a typo
// creates nothing. The timeout bounds the wait for other processes.
func (a *Program) Open(ctx context.Context, p *Place, mustExist bool, timeout time.Duration) (Database, error) {
	scheme, rest, found := strings.Cut(p.Spec, ":")
	for _, s := range a.Stores {
		if found && scheme == s.Scheme {
			db, closer, err := s.Open(ctx, rest, timeout)
			switch {
			case err == nil:
				return Database{db, closer}, nil
			case s.Usage != nil && s.Usage(err):
				return Database{}, exit.Usage(err)
			default:
				return Database{}, exit.Unreachable(err)
			}
		}
	}
	switch {
	case found && scheme == "file" && rest != "":
		return openFile(rest, mustExist, timeout)
	case found && scheme == "mem" && rest == "":
		return Database{memkv.New(memkv.Options{}), io.NopCloser(nil)}, nil
	case found && scheme == "fdb":
		return Database{}, exit.Usage(errors.New("this build has no FoundationDB: it is made of Go alone. The command that has it is in the adapter's module,\n" +
			"and needs cgo and FoundationDB's client library. In a clone of the repository:\n" +
			"  cd kv/fdbkv && go install ./cmd/fdbelect"))
	default:
		return Database{}, exit.Usage(fmt.Errorf("%s %s is none of these:%s", p.Named("store"), p.SafeSpec(), storeChoices))
	}
}

// permanent reports errors of a store that no retry can mend.
func (a *Program) Permanent(err error) bool {
	for _, s := range a.Stores {
		if s.Permanent != nil && s.Permanent(err) {
			return true
		}
	}
	return permanentFileError(err)
}

// Mark marks an error of a store that no retry can fix, for exit.Code.
func (a *Program) Mark(err error) error {
	if err != nil && a.Permanent(err) {
		return exit.Permanent(err)
	}
	return err
}

// safe is the store as it can be printed.
func (p *Place) SafeSpec() string { return election.SafeText(p.Spec) }
