package bus

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// leastMessage is what a stream of verdicts and the server have to take: an event without text, its link and the publisher's ids. Below that
// a verdict could not be told at all.
const leastMessage = 16 << 10

// largestCall is a call of 64 KiB with all the headers that NATS allows.
const largestCall = 128 << 10

// leastSize is the largest message that one of the relay's own streams has to take. In the work stream that is the largest call.
func leastSize(want jetstream.StreamConfig) int32 {
	if want.Retention == jetstream.WorkQueuePolicy {
		return largestCall
	}
	return leastMessage
}

// deadly names a limit that somebody set on a stream which has to have none, and what it does; "" when there is none.
func deadly(have, next jetstream.StreamConfig) string {
	const ends = "which ends waiting calls without a word"
	switch {
	case have.MaxMsgs > 0 && next.MaxMsgs <= 0:
		return fmt.Sprintf("max_msgs %d, %s", have.MaxMsgs, ends)
	case have.MaxBytes > 0 && next.MaxBytes <= 0:
		return fmt.Sprintf("max_bytes %d, %s", have.MaxBytes, ends)
	case have.MaxMsgsPerSubject > 0 && next.MaxMsgsPerSubject <= 0:
		return fmt.Sprintf("max_msgs_per_subject %d, %s", have.MaxMsgsPerSubject, ends)
	case have.MaxAge > 0 && next.MaxAge <= 0:
		return fmt.Sprintf("max_age %s, %s", have.MaxAge, ends)
	case have.MaxMsgSize > 0 && next.MaxMsgSize <= 0:
		return fmt.Sprintf("max_msg_size %d, into which not every call or verdict fits", have.MaxMsgSize)
	}
	return ""
}
