package main

import (
	"fmt"
	"regexp"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// A transcript is what the server heard its clients say: what they publish and subscribe to, by the name of the client.
type transcript struct {
	mu   sync.Mutex
	said map[string]map[string]bool
}

var heard = regexp.MustCompile(`:go:([a-z]+)".* - <<- \[(PUB|HPUB|SUB) (\S+)(?: (\S+) \S+)?`)

func (tr *transcript) Tracef(format string, v ...any) {
	m := heard.FindStringSubmatch(fmt.Sprintf(format, v...))
	if m == nil {
		return
	}
	what := m[3]
	if m[2] == "SUB" && m[4] != "" {
		what += " " + m[4]
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.said == nil {
		tr.said = map[string]map[string]bool{}
	}
	if tr.said[m[1]] == nil {
		tr.said[m[1]] = map[string]bool{}
	}
	tr.said[m[1]][what] = true
}

func (*transcript) Noticef(string, ...any) {}
func (*transcript) Warnf(string, ...any)   {}

func (*transcript) Fatalf(string, ...any) {}
func (*transcript) Errorf(string, ...any) {}

func (*transcript) Debugf(string, ...any) {}

// of is what somebody said, wherever it is covered by a line of the file.
func (tr *transcript) of(who, line string) (said []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for s := range tr.said[who] {
		if server.SubjectsCollide(line, s) || line == s {
			said = append(said, s)
		}
	}
	return said
}
