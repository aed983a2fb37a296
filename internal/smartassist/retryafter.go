package smartassist

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is how long a Retry-After is obeyed at most.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After header (RFC 9110): seconds, or a date. What it does not understand, or lies in the past, is 0.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		switch {
		case !(s > 0): // NaN too
			return 0
		case s >= maxRetryAfter.Seconds():
			return maxRetryAfter
		}
		return time.Duration(s * float64(time.Second))
	}
	t, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(t.Sub(now), 0), maxRetryAfter)
}
