package relay

import "strings"

// An Account is one client of the API: its way to it, and what it may spend. Accounts share nothing.
type Account struct {
	Name          string
	Bots          []string // patterns, * only; the last account may have none and serves every other bot
	Transcription bool
	Source        Source // nil in the Account that Accounts.For returns for a bot that nobody serves
	Purse         Purse
	Forecast      Forecast // may be nil: calls are asked for by the fixed schedule
}

// Accounts in their order: the first whose pattern matches serves a bot.
type Accounts []Account

// For finds the account that serves a bot.
func (as Accounts) For(bot string) Account {
	for _, a := range as {
		if a.serves(bot) {
			return a
		}
	}
	return Account{Name: "none"}
}

func (a Account) serves(bot string) bool {
	if len(a.Bots) == 0 {
		return true
	}
	for _, p := range a.Bots {
		if match(p, bot) {
			return true
		}
	}
	return false
}

// match says whether s fits a pattern in which * stands for any text, also none.
func match(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}
