// Package e2e tests the service in a real Chromium: a whole server on loopback,
// its pages, its scripts and its socket. The tests have the build tag e2e and
// need chromium and the page scripts; `./task test:browser` builds the scripts
// and runs them. `go test -tags=e2e -artifacts -run=Screens ./server/e2e` keeps
// the screenshots.
package e2e
