package smartassist

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is how long a Retry-After is obeyed at most.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After header (RFC 9110): seconds, or a date. Seconds with a fraction, which it does not know, are obeyed too. What is
// not understood, or lies in the past, is 0.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789.") == "" { // ParseFloat would take Inf, 0x1p4 and 1e9 for seconds
		s, err := strconv.ParseFloat(value, 64)
		switch {
		case s >= maxRetryAfter.Seconds(): // so many digits that they overflow, too
			return maxRetryAfter
		case err != nil:
			return 0
		}
		return time.Duration(s * float64(time.Second))
	}
	t, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(t.Sub(now), 0), maxRetryAfter)
}
