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
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/below"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const storeChoices = `
  file:PATH         a file shared by the processes of this host, as in --store file:/var/lib/app/election.db
  mem:              the memory of this process alone, as in --store mem:
  fdb:CLUSTERFILE   FoundationDB, as in --store fdb:/etc/foundationdb/fdb.cluster`

// Store is a kind of store that a program has besides file: and mem:.
type Store struct {
	// Scheme is the part of --store before the colon.
	Scheme string
	// Open opens the store that the rest of --store names, and checks within the timeout
	// that it answers. Its error says what is wrong and what to do.
	Open func(ctx context.Context, rest string, timeout time.Duration) (kv.Database, io.Closer, error)
	// Usage reports errors of Open that say that the value of --store itself is wrong. It
	// may be nil.
	Usage func(error) bool
	// Permanent reports errors that no retry can fix. It may be nil.
	Permanent func(error) bool
	// Versions returns the versions of the parts between this command and the data, such
	// as a client library and the servers. db is the result of Open. It may return some
	// versions together with an error. It may be nil.
	Versions func(ctx context.Context, db kv.Database) ([]Version, error)
}

// Version is the version of one part.
type Version struct {
	Part    string // such as "client API"
	Version string
}

// Place is where an election or a group is: a store and a subspace in it.
type Place struct {
	Spec  string
	Name  string
	Root  string
	Flags *pflag.FlagSet // the flags that set these fields
	// OfGroup says that Name is that of a group.
	OfGroup bool
	// Argument says that Name is an argument, and not that of a flag.
	Argument bool
}

// AddFlags adds --store, --root and --election.
func (p *Place) AddFlags(cmd *cobra.Command) {
	p.AddSpaceFlags(cmd)
	cmd.Flags().StringVar(&p.Name, "election", "default", "name of the election")
	FromEnvironment(cmd.Flags(), "election")
}

// AddGroupFlags adds --store, --root and --group.
func (p *Place) AddGroupFlags(cmd *cobra.Command) {
	p.AddSpaceFlags(cmd)
	p.OfGroup = true
	cmd.Flags().StringVar(&p.Name, "group", "default", "name of the group")
	FromEnvironment(cmd.Flags(), "group")
}

// AddSpaceFlags adds --store and --root, for a subcommand about all elections and groups
// below the root.
func (p *Place) AddSpaceFlags(cmd *cobra.Command) {
	p.AddStoreFlag(cmd)
	cmd.Flags().StringVar(&p.Root, "root", "fdbelection", "subspace that holds the elections and groups, names separated by slashes")
	FromEnvironment(cmd.Flags(), "root")
}

// AddStoreFlag adds --store.
func (p *Place) AddStoreFlag(cmd *cobra.Command) {
	p.Flags = cmd.Flags()
	cmd.Flags().StringVar(&p.Spec, "store", "", "where the election is kept: file:PATH, mem: or fdb:CLUSTERFILE (required)")
	FromEnvironment(cmd.Flags(), "store")
}

// CheckStore returns an error if no store is named.
func (p *Place) CheckStore() error {
	if p.Spec == "" {
		return exit.Usage(errors.New("no store is named. There is no default, because each host would elect itself. Give --store or set " +
			Variable("store") + ":" + storeChoices))
	}
	return nil
}

// Named returns the name by which the user set a flag, or NAME if an argument did.
func (p *Place) Named(flag string) string {
	if p.Argument && flag == "group" {
		return "NAME"
	}
	return flagName(p.Flags, flag)
}

// Election checks the flags and returns the election that they name.
func (p *Place) Election() (*election.LeaderElection, error) {
	space, err := p.named("election")
	if err != nil {
		return nil, err
	}
	return election.New(space), nil
}

// Group checks the flags and returns the group that they name.
func (p *Place) Group() (*group.Group, error) {
	space, err := p.named("group")
	if err != nil {
		return nil, err
	}
	if slices.Contains(below.GroupNames, p.Name) {
		return nil, p.reserved("group", "a group")
	}
	return group.New(space), nil
}

// named checks the flags and returns the subspace of what a flag names.
func (p *Place) named(flag string) (subspace.Subspace, error) {
	space, err := p.Space()
	if err != nil {
		return space, err
	}
	if err := checkName(p.Named(flag), p.Name); err != nil {
		return space, err
	}
	if slices.Contains(ReservedNames, p.Name) {
		return space, p.reserved(flag, "an election")
	}
	return space.Sub(p.Name), nil
}

// reserved says that a name is that of a record of owner, "an election" or "a group".
func (p *Place) reserved(flag, owner string) error {
	return exit.Usage(fmt.Errorf("%s %s is reserved: %s stores its own records under that name, so if the root %s is %s itself, the two would mix; choose another name",
		p.Named(flag), p.Name, owner, election.SafeText(p.Root), owner))
}

// Space checks the flags and returns the subspace that holds the elections and groups.
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

// ReservedNames are the names of the records of an election below its path. An election
// with such a name could lie among the records of another one.
var ReservedNames = below.ReservedNames

// checkName refuses names that cannot be read or typed again.
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

// Database is an open store.
type Database struct {
	kv.Database
	io.Closer
}

// Open opens the store of a place. A subcommand that only reads sets mustExist, so that a
// typo creates nothing. The timeout limits the wait for other processes.
func (p *Program) Open(ctx context.Context, at *Place, mustExist bool, timeout time.Duration) (Database, error) {
	scheme, rest, found := strings.Cut(at.Spec, ":")
	for _, s := range p.Stores {
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
		return Database{}, exit.Usage(errors.New("this build does not include FoundationDB: install the command that does, which needs cgo and FoundationDB's client library, in a clone of the repository with: GOWORK=off go -C cmd/fdbelect-fdb install"))
	default:
		return Database{}, exit.Usage(fmt.Errorf("%s %s is none of these:%s", at.Named("store"), at.SafeSpec(), storeChoices))
	}
}

// Permanent reports errors of a store that no retry can fix.
func (p *Program) Permanent(err error) bool {
	for _, s := range p.Stores {
		if s.Permanent != nil && s.Permanent(err) {
			return true
		}
	}
	return permanentFileError(err)
}

// Mark marks an error of a store that no retry can fix, for exit.Code.
func (p *Program) Mark(err error) error {
	if err != nil && p.Permanent(err) {
		return exit.Permanent(err)
	}
	return err
}

// SafeSpec returns the value of --store, safe to print.
func (p *Place) SafeSpec() string { return election.SafeText(p.Spec) }
