// Command voicemail-relay turns ended calls into voicemails: it takes call.ended from NATS JetStream, asks Kore.ai SmartAssist for the
// recording and its transcript, and publishes voicemail.ready, voicemail.absent or voicemail.failed.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
