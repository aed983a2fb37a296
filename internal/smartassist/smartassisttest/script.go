package smartassisttest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// mostRepeats keeps a slip of the pen from filling memory.
const mostRepeats = 10_000

// ParseScript reads a script as it is written on a command line:
//
//	script = step { "," step }          the last step repeats for ever
//	step   = what [ "*" TIMES ]         TIMES is 1 to 10000
//	what   = WORD [ ":" TEXT ]          ready:Hello there
//	       | STATUS [ "/" RETRY-AFTER ] [ ":" MESSAGE ]    503, 429/2, 400:Invalid request ID
//	       | "slow:" DURATION [ ":" what ]                 slow:2s:not_yet; ready if nothing is said
//	       | "underscored:" what
//
// A text with a comma, or with * and a number at its end, is written in double quotes as in Go: ready:"Well, hello". Spaces around steps
// are ignored. Words lists the words.
func ParseScript(s string) ([]Step, error) {
	words, err := split(s)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, word := range words {
		what, n, err := repeats(word)
		if err != nil {
			return nil, err
		}
		step, err := ParseStep(what)
		if err != nil {
			return nil, err
		}
		steps = append(steps, Repeat(n, step)...)
	}
	return steps, nil
}

// split cuts a script at the commas that stand outside quotes. A quote opens a text where a text begins, and is a letter elsewhere.
func split(s string) ([]string, error) {
	var words []string
	begin := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ',':
			words = append(words, strings.TrimSpace(s[begin:i]))
			begin = i + 1
		case s[i] == '"' && i > begin && (s[i-1] == ':' || s[i-1] == '/'):
			quoted, err := strconv.QuotedPrefix(s[i:])
			if err != nil {
				return nil, fmt.Errorf("script: the text %s has no closing quote", strings.TrimSpace(s[i:]))
			}
			i += len(quoted) - 1
		}
	}
	return append(words, strings.TrimSpace(s[begin:])), nil
}

// repeats cuts *n off a step. What has a text keeps a * that no number follows.
func repeats(word string) (what string, n int, err error) {
	i := strings.LastIndexByte(word, '*')
	if i < 0 || strings.HasSuffix(word, `"`) {
		return word, 1, nil
	}
	n, err = strconv.Atoi(strings.TrimSpace(word[i+1:]))
	switch {
	case err != nil && strings.Contains(word[:i], ":"):
		return word, 1, nil
	case err != nil || n < 1 || n > mostRepeats:
		return "", 0, fmt.Errorf("script: %q: %q is no number of times from 1 to %d", word, word[i+1:], mostRepeats)
	}
	return strings.TrimSpace(word[:i]), n, nil
}

// ParseStep reads one step, what in ParseScript's grammar. An error names the word, and the known ones if it is none of them.
func ParseStep(s string) (Step, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Step{}, errors.New("script: a step is missing; known are " + known())
	}
	name, arg, has := strings.Cut(s, ":")
	if name[0] >= '0' && name[0] <= '9' {
		return parseStatus(s)
	}
	for _, w := range words() {
		if w.name != name {
			continue
		}
		step, err := w.parse(arg, has)
		if err != nil {
			return Step{}, fmt.Errorf("script: %s: %w", name, err)
		}
		return step, nil
	}
	return Step{}, fmt.Errorf("script: unknown step %q; known are %s", name, known())
}

// unquote reads a text, in quotes or as it is.
func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	text, err := strconv.Unquote(s)
	if err != nil {
		return "", fmt.Errorf("%s is no text in double quotes", s)
	}
	return text, nil
}
