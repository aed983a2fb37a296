package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"voicemail-relay/internal/bus"
	"voicemail-relay/internal/relay"
)

// picking says which letters are meant.
type picking struct {
	sequences []uint64
	all       bool
	reason    string
	olderThan time.Duration
	newerThan time.Duration
}

// flags adds those that every picking has.
func (p *picking) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.reason, "reason", "", "letters of this reason: "+reasons())
	cmd.Flags().DurationVar(&p.olderThan, "older-than", 0, "letters older than this, such as 24h")
}

// read takes the arguments, each a SEQ.
func (p *picking) read(args []string) error {
	for _, arg := range args {
		n, err := sequence(arg)
		if err != nil {
			return err
		}
		p.sequences = append(p.sequences, n)
	}
	slices.Sort(p.sequences)
	p.sequences = slices.Compact(p.sequences)
	return nil
}

// check looks at the values alone; one looks at how they go together.
func (p *picking) check() error {
	if p.reason != "" && !slices.Contains(relay.FailedReasons(), relay.Reason(p.reason)) {
		return usagef("--reason: unknown reason %q; known are %s", p.reason, reasons())
	}
	if p.olderThan < 0 || p.newerThan < 0 {
		return usagef("--older-than and --newer-than must not be negative")
	}
	return nil
}

// one holds to exactly one way to pick; --older-than narrows those that are no SEQ.
func (p *picking) one(command string, ways string) error {
	n := 0
	for _, given := range []bool{len(p.sequences) > 0, p.all, p.reason != ""} {
		if given {
			n++
		}
	}
	if n != 1 || len(p.sequences) > 0 && p.olderThan > 0 {
		return usagef("%s takes exactly one of %s", command, ways)
	}
	return p.check()
}

func (p *picking) has(l bus.StoredLetter) bool {
	age := time.Since(l.Stored)
	return (p.reason == "" || l.Reason == relay.Reason(p.reason)) && age >= p.olderThan && (p.newerThan == 0 || age <= p.newerThan)
}

// pick reads the letters that are meant; look sees each whole, and what is returned has no bodies: there may be very many.
func (p *picking) pick(ctx context.Context, letters *bus.Letters, look func(bus.StoredLetter)) (picked []bus.StoredLetter, err error) {
	take := func(l bus.StoredLetter) {
		look(l)
		l.Body, l.Header, l.Raw, l.Call.Fields = nil, nil, nil, nil
		picked = append(picked, l)
	}
	for _, seq := range p.sequences {
		l, err := letters.Get(ctx, seq)
		if err != nil {
			return nil, fmt.Errorf("%w; nothing was done; voicemail-relay failed list shows the letters", err)
		}
		take(l)
	}
	if len(p.sequences) > 0 {
		return picked, nil
	}
	err = letters.Each(ctx, func(l bus.StoredLetter) (bool, error) {
		if p.has(l) {
			take(l)
		}
		return true, nil
	})
	return picked, err
}

// reasons are the known ones, for people.
func reasons() string {
	var rs []string
	for _, r := range relay.FailedReasons() {
		rs = append(rs, string(r))
	}
	return strings.Join(rs, ", ")
}

// sequence reads the SEQ of a letter.
func sequence(arg string) (uint64, error) {
	n, err := strconv.ParseUint(arg, 10, 64)
	if err != nil || n == 0 {
		return 0, usagef("SEQ: %q is no number of a letter; voicemail-relay failed list shows them", arg)
	}
	return n, nil
}

// letterName names a letter in a line of its own.
func letterName(l bus.StoredLetter) string {
	name := fmt.Sprintf("letter %d", l.Sequence)
	if l.Call.Session != "" {
		name += fmt.Sprintf(" (%s of %s)", l.Call.Session, l.Call.Bot)
	}
	return name
}
