// Package check holds the checks of what stands in deploy: the chart as helm renders it, and the compose file. It is a module of its own, so
// that the relay's own does not depend on Kubernetes. .ci/package runs it:
//
//	go test -C deploy/check . -helm FILE -relay FILE
package check
