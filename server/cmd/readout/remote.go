package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"readout/collectors"
	"readout/server/reading"
)

// This file is what the subcommands that talk to a running server share: where
// it is, the token, one POST with retries, and what to tell the user when it fails.

const (
	defaultAddress  = "http://127.0.0.1:8080"
	mostAnswer      = 4 << 20 // bytes of an answer that are read
	attemptTimeout  = 15 * time.Second
	userAgentPrefix = "readout/"
)

// remote is the server that a subcommand talks to.
type remote struct {
	command string // for errors and the user agent: push, tail
	address string
	token   string
	base    *url.URL
	client  *http.Client
}

// flags adds --url, --to and --token; main is the one that help texts use.
func (r *remote) flags(f *flag.FlagSet, main string) {
	other := map[string]string{"url": "to", "to": "url"}[main]
	f.StringVar(&r.address, main, "", "the `ADDRESS` of Readout; default READOUT_URL, else "+defaultAddress)
	f.StringVar(&r.address, other, "", "the same as --"+main+" (`ADDRESS`)")
	f.StringVar(&r.token, "token", "", "the `TOKEN` to show, if the server wants one; default READOUT_TOKEN (other users of this machine cannot see that one)")
}

// resolve fills in what the flags left out and checks the address.
func (r *remote) resolve() error {
	r.token = cmp.Or(r.token, os.Getenv("READOUT_TOKEN"))
	r.address = cmp.Or(r.address, os.Getenv("READOUT_URL"), defaultAddress)
	if !strings.Contains(r.address, "://") {
		r.address = "http://" + r.address // localhost:8080, as people type it
	}
	base, err := url.Parse(r.address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return fmt.Errorf("%s is not an address; write it like %s", reading.Quote(r.address), defaultAddress)
	}
	if strings.ContainsAny(r.token, " \r\n\t") {
		return errors.New("the token holds a space or a line end; give it as it was shown")
	}
	r.base = base
	r.client = &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: attemptTimeout,
			ForceAttemptHTTP2:     true,
		},
		// A redirect would carry the token to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// readings is the address of POST /api/v1/readings.
func (r *remote) readings() string { return r.base.JoinPath("api/v1/readings").String() }

// topic is the address of a topic. The slashes of its name stay, so that it
// reads well; everything in its labels is escaped, since a proxy may not keep //
// or /../ as it is.
func (r *remote) topic(topic reading.Topic) string {
	name := topic.Name()
	return strings.TrimSuffix(r.base.String(), "/") + "/t/" + name + url.PathEscape(strings.TrimPrefix(string(topic), name))
}

// request makes a request with the headers that all have.
func (r *remote) request(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	q, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("User-Agent", userAgentPrefix+r.command)
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	return q, nil
}

// posted is the answer to a POST.
type posted struct {
	status int
	body   []byte
}

func (p posted) ok() bool { return p.status >= 200 && p.status < 300 }

// post sends one body. Under its Idempotency-Key it may be sent again without
// storing anything twice, so it is, for as long as keep says, while the server
// is away or asks to come back later. waiting is told of the first such failure.
func (r *remote) post(ctx context.Context, address string, header map[string]string, body []byte, keep time.Duration, waiting func(error)) (posted, error) {
	key := rand.Text()
	begin := time.Now()
	for failures := 1; ; failures++ {
		answer, retryAfter, err := r.attempt(ctx, address, header, body, key)
		again := err != nil || answer.status == http.StatusRequestTimeout || answer.status == http.StatusTooManyRequests || answer.status >= 500
		if !again || ctx.Err() != nil {
			return answer, err
		}
		pause := max(collectors.Backoff(failures), retryAfter)
		if time.Since(begin)+pause > keep {
			return answer, err
		}
		if failures == 1 {
			why := err
			if why == nil {
				why = r.refusal(answer.status, answer.body)
			}
			waiting(why)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer, ctx.Err()
		}
	}
}

func (r *remote) attempt(ctx context.Context, address string, header map[string]string, body []byte, key string) (posted, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	q, err := r.request(ctx, http.MethodPost, address, body)
	if err != nil {
		return posted{}, 0, err
	}
	q.Header.Set("Idempotency-Key", key)
	for name, value := range header {
		q.Header.Set(name, value)
	}
	response, err := r.client.Do(q)
	if err != nil {
		return posted{}, 0, r.unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	// An answer that breaks off after its status still tells what counts.
	text, _ := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	return posted{response.StatusCode, text}, collectors.RetryAfter(response.Header, time.Now()), nil
}

// unreachable says what to do when no answer came.
func (r *remote) unreachable(err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // without the method and the address, which we say ourselves
	}
	return fmt.Errorf("no answer from %s: %w. Is readout serve running there? --url or READOUT_URL gives another address", r.base, err)
}

// refusal says why the server refused and what to do about it.
func (r *remote) refusal(status int, body []byte) error {
	var said struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	text := http.StatusText(status)
	if json.Unmarshal(body, &said) == nil && said.Error.Code != "" {
		text = said.Error.Code + ": " + said.Error.Message
	}
	hint := ""
	switch {
	case status == http.StatusUnauthorized && r.token == "":
		hint = ". Give a token with --token or READOUT_TOKEN"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		hint = ". Give another token with --token or READOUT_TOKEN; readout token makes one"
	case status == http.StatusNotFound || status >= 300 && status < 400:
		hint = fmt.Sprintf(". Is %s the address of Readout itself?", r.base)
	}
	return fmt.Errorf("the server answered %d %s%s", status, text, hint)
}

// commandLine parses args, flags and others in any order; after -- come no more
// flags, and a number such as -5 is never one. With ok unset the command ends
// with the exit code: help was asked for, or the line is wrong.
func commandLine(f *flag.FlagSet, help string, args []string, stdout, stderr io.Writer) (rest []string, code int, ok bool) {
	f.SetOutput(io.Discard)
	var flags []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if _, number := reading.ParseNumber(arg); number || len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		name, _, whole := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		known := f.Lookup(name)
		if whole || known == nil || i+1 == len(args) {
			continue
		}
		if b, is := known.Value.(interface{ IsBoolFlag() bool }); !is || !b.IsBoolFlag() {
			i++
			flags = append(flags, args[i])
		}
	}
	err := f.Parse(flags)
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(stdout)
		fmt.Fprint(stdout, help)
		f.PrintDefaults()
		return nil, 0, false
	case err != nil:
		return nil, wrongLine(f, stderr, err), false
	}
	return rest, 0, true
}

// wrongLine says what is wrong with a command line and returns its exit code.
func wrongLine(f *flag.FlagSet, stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "%s: %v\n%s --help shows examples.\n", f.Name(), err, f.Name())
	return 2
}

// failed says what went wrong and returns the exit code.
func (r *remote) failed(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "readout %s: %v\n", r.command, err)
	return 1
}
