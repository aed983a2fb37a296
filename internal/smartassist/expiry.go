package smartassist

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// expiresAt reads when a link expires, from the link itself; the zero time when it does not tell. It is an upper bound: an administrator can
// revoke links early. Known shapes: the vendor's own e=<unix seconds>; S3 SigV4 and GCS V4 (date and seconds); S3 V2, GCS V2 and CloudFront
// (Expires=<unix seconds>); Azure SAS (se=<ISO 8601>); CloudFront with a policy.
func expiresAt(link string) time.Time {
	q := queryOf(link)
	for _, vendor := range [...]string{"X-Amz-", "X-Goog-"} {
		if t := signedFor(q.get(vendor+"Date"), q.get(vendor+"Expires")); !t.IsZero() {
			return t
		}
	}
	for _, name := range [...]string{"e", "Expires"} {
		if t := epoch(q.get(name)); !t.IsZero() {
			return t
		}
	}
	if se := q.get("se"); se != "" {
		for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} { // as Azure's documentation has them
			if t, err := time.Parse(layout, se); err == nil {
				return plausible(t)
			}
		}
	}
	return policyExpiry(q.get("Policy"))
}

// query is a link's, as it stands. url.ParseQuery would refuse semicolons and escapes that are none.
type query string

func queryOf(link string) query {
	link, _, _ = strings.Cut(link, "#")
	_, q, _ := strings.Cut(link, "?")
	return query(q)
}

// get returns the first parameter of a name, in any case; "" when there is none.
func (q query) get(name string) string {
	for rest, more := string(q), true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		if key, value, _ := strings.Cut(pair, "="); strings.EqualFold(key, name) {
			if plain, err := url.PathUnescape(value); err == nil { // not QueryUnescape: + stays + in dates and base64
				return plain
			}
			return value
		}
	}
	return ""
}

// signedFor is a signature's date and the seconds that it holds for.
func signedFor(date, seconds string) time.Time {
	if date == "" || seconds == "" { // most links; the errors below are not cheap
		return time.Time{}
	}
	t, err := time.Parse("20060102T150405Z", date)
	life, err2 := strconv.ParseUint(seconds, 10, 31) // 68 years: no overflow
	if err != nil || err2 != nil {
		return time.Time{}
	}
	return plausible(t.Add(time.Duration(life) * time.Second))
}

func epoch(seconds string) time.Time {
	if s, err := strconv.ParseInt(seconds, 10, 40); err == nil { // beyond, time.Time itself would overflow
		return plausible(time.Unix(s, 0))
	}
	return time.Time{}
}

// policyExpiry reads a CloudFront policy: JSON in base64, with + = / written - _ ~. Of several statements, the first to end counts.
func policyExpiry(policy string) time.Time {
	if policy == "" {
		return time.Time{}
	}
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(policy))
	if err != nil {
		return time.Time{}
	}
	var first time.Time
	c, ok := objectIn(b)
	if !ok {
		return first
	}
	for range c.under("Statement") {
		for range c.objectsOrOne() {
			for range c.under("Condition") {
				for range c.under("DateLessThan") {
					for range c.under("AWS:EpochTime") {
						if t := epoch(c.word()); first.IsZero() || !t.IsZero() && t.Before(first) {
							first = t
						}
					}
				}
			}
		}
	}
	return first
}

// plausible passes times from 2000 to 2200, in UTC.
func plausible(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 2000 || y > 2200 {
		return time.Time{}
	}
	return t
}
