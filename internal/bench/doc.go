// Package bench measures what a call costs the relay, beside a floor: the loop that an experienced programmer would write by hand instead.
//
// Everything that is measured is a process of its own: the relay as it ships, the floor, the NATS server, the API's emulator. They take turns in
// one run, each on a fresh server, round after round, so that a figure is a ratio to the floor on the same machine in the same minutes. Nothing
// counts before its output was proven: each call told once, with the text and the file that the emulator had for it.
//
// CPU and memory are the kernel's own figures for a whole process (Linux: utime and stime in steps of 10 ms, VmHWM). The calls are stored
// before the clock starts and told verdicts are read after it stopped, so that neither the publisher nor the subscriber is in a figure. Latency
// is measured otherwise: calls come at a fixed rate whatever becomes of them, and each is timed from the moment at which it should have come.
package bench
