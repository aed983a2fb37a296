package smartassist

import (
	"regexp"
	"strings"
)

// complaint is what the body of a 4xx says. The message is for classifying alone, and in lower case: it may hold tokens and callers' numbers, and
// never stands in a text of ours. The code may, where it is plain.
type complaint struct {
	msg, code string
}

// plainCode is a code such as 4002 or RATE_LIMIT. Seven digits and more may be a part of a telephone number.
var plainCode = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)

const mostDigits = 6

// readComplaint reads {"errors":[{"msg":"…","code":4002}]}, whose code is a number or a string, and what comes near it: objects and strings
// instead of the list, and other proxies' and gateways' names for the same.
func readComplaint(body []byte) complaint {
	var all complaint
	if c, ok := objectIn(body); ok {
		c.complaint(&all, true)
	}
	return all
}

func (c *cursor) complaint(all *complaint, top bool) {
	for key := range c.fields() {
		switch string(key) {
		case "msg", "message":
			all.add(c.text())
		case "code":
			all.number(c.word())
		case "error", "errors":
			if top {
				c.complaints(all)
			} else {
				all.add(c.text())
			}
		}
	}
}

// complaints reads an object, a string, or a list of them.
func (c *cursor) complaints(all *complaint) {
	switch c.kind() {
	case '{':
		c.complaint(all, false)
	case '[':
		for c.enter('['); c.more(); {
			if c.b[c.i] == '{' {
				c.complaint(all, false)
			} else {
				all.add(c.text())
			}
		}
	default:
		all.add(c.text())
	}
}

// add keeps messages apart, so that no word is found across two.
func (all *complaint) add(msg string) { all.msg += strings.ToLower(msg) + "|" }

// number keeps the first plain code.
func (all *complaint) number(code string) {
	digits := 0
	for _, b := range []byte(code) {
		if b >= '0' && b <= '9' {
			digits++
		}
	}
	if all.code == "" && digits <= mostDigits && plainCode.MatchString(code) {
		all.code = code
	}
}

// says whether a message holds one of the words.
func (all complaint) says(words ...string) bool {
	for _, w := range words {
		if strings.Contains(all.msg, w) {
			return true
		}
	}
	return false
}

// saysTight is says without regard to spaces and hyphens: "Invalid StreamId", "invalid stream id".
func (all complaint) saysTight(word string) bool {
	tight := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '\u00a0' || r < 128 && space(byte(r)) {
			return -1
		}
		return r
	}, all.msg)
	return strings.Contains(tight, word)
}
