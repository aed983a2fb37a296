// Package settings owns the tree of settings: one tree, three ways. Defaults are overridden by a YAML file, that by the environment, that
// by flags. Everything is checked, and all mistakes are reported at once, each with the setting's name and what to write instead. It reads
// nothing by itself: file, environment and flags are handed in, and so is what reads the files that settings name.
package settings

import "time"

// Settings is the whole tree. What each means stands in the table of paths.
type Settings struct {
	NATS          NATS
	Calls         Calls
	Ready         Ready
	SmartAssist   Account   // the tree's own: it serves every bot that no entry of Accounts does. Without a BaseURL it serves none
	Accounts      []Account // in the file's order
	Wait          Wait
	Retry         Retry
	Ledger        Keep
	Verdicts      Keep
	ShutdownGrace time.Duration
	HTTP          HTTP
	Log           Log
}

// NATS is how the server is reached, or embedded.
type NATS struct {
	URL, CredentialsFile string
	TLS                  TLS
	Embedded             bool
	StoreDir             string
	Provision            bool
	Replicas             int
	Prefix               string
}

// TLS names PEM files.
type TLS struct{ CAFile, CertFile, KeyFile string }

// Calls is where calls come from.
type Calls struct {
	Subject, Stream, Durable string
	Concurrency              int
	AckWait                  time.Duration
}

// Ready is how verdicts go out.
type Ready struct{ Subject, Format string }

// Account is one client of the API.
type Account struct {
	Name                                                      string   // AppID unless it is given
	Bots                                                      []string // patterns; of an entry of Accounts
	BaseURL, Path, AppID, AppSecret, AppSecretFile, Algorithm string
	JTI, Transcription                                        bool
	Timeout                                                   time.Duration
	RateLimit                                                 int // requests in any 60 s; 0: no limit
	Concurrency                                               int // half of Calls.Concurrency unless it is given
}

// Wait is for what is not there yet.
type Wait struct{ First, Max, RecordingFor, TranscriptFor time.Duration }

// Retry is for trouble.
type Retry struct{ First, Max, GiveUpAfter time.Duration }

// Keep is how long something is kept.
type Keep struct{ Keep time.Duration }

// HTTP is where the ops endpoints listen.
type HTTP struct{ Addr string }

// Log is what is logged, and how.
type Log struct{ Level, Format string }

// Need is what the caller cannot do without.
type Need int

const (
	NeedNATS    Need = iota // to talk to NATS: nothing is required, but the files that it takes have to be there
	NeedAccount             // to ask the API: base_url, app_id and a secret too
	NeedNothing             // to show what is set
)

// Source is where settings come from, each later one overriding those before.
type Source struct {
	File     string // its name, for messages; empty: no file
	YAML     []byte
	Environ  []string // KEY=VALUE
	Flags    []Flag
	Need     Need
	Terminal bool // logs go to a terminal: log.format is console unless it is set

	// ReadFile reads a file that a setting names; nil: they are not looked at. Secret says what is wrong with an account's secret; nil: it is
	// not looked at.
	ReadFile func(name string) ([]byte, error)
	Secret   func(algorithm, secret string) error
}

// Flag is a flag's path and value.
type Flag struct{ Path, Value string }

// Effective are settings that passed every check, and where each came from.
type Effective struct {
	Settings
	origins map[string]string // by path, accounts[0] and its settings too; missing: default
}

// Load reads and checks. The error is Problems.
func Load(src Source) (*Effective, error) {
	l := newLoader(src)
	l.file(src.File, src.YAML)
	l.environ(src.Environ)
	for _, f := range src.Flags {
		l.set("--"+f.Path, f.Path, f.Value)
	}
	l.check()
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return l.e, nil
}

type loader struct {
	need     Need
	readFile func(string) ([]byte, error)
	secret   func(algorithm, secret string) error
	e        *Effective
	problems Problems
	unread   bool            // a part of the file was not: the tree's own account may stand there, and is not missed
	wrong    map[string]bool // paths whose value was refused: what they were set to is not checked further
}

// newLoader holds the defaults.
func newLoader(src Source) *loader {
	l := &loader{need: src.Need, readFile: src.ReadFile, secret: src.Secret, e: &Effective{origins: map[string]string{}}, wrong: map[string]bool{}}
	for _, leaf := range tree() {
		_ = leaf.set(&l.e.Settings, leaf.def) // a test checks that every default passes; those without one are filled in by check
	}
	if src.Terminal {
		l.e.Log.Format = "console"
	}
	return l
}

// set sets one path from one place.
func (l *loader) set(where, path, value string) {
	for _, leaf := range tree() {
		if leaf.path != path {
			continue
		}
		if err := leaf.set(&l.e.Settings, value); err != nil {
			l.refuse(where, path, err)
			return
		}
		l.e.origins[path] = where
		return
	}
	l.problems = append(l.problems, UnknownFlag(path))
}

func (l *loader) refuse(where, path string, err error) {
	l.problems = append(l.problems, Problem{Where: where, Path: path, What: err.Error()})
	l.wrong[path] = true
}
