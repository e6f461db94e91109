package servertest

//lint:file-ignore SA1019 See server/live/conn.go.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nhooyr.io/websocket"
)

const ackEvery = time.Second

// socketChannel is a WebSocket that acks as a page does.
type socketChannel struct {
	conn *websocket.Conn
	got  atomic.Int64
	done chan struct{}
	work sync.WaitGroup
}

func openSocket(ctx context.Context, client *http.Client, address string, v *viewer) (*socketChannel, error) {
	o := &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"readout.v1"}}
	conn, _, err := websocket.Dial(ctx, "ws"+address[len("http"):]+"/live", o)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(64 << 20)
	c := &socketChannel{conn: conn, done: make(chan struct{})}
	if err := conn.Write(ctx, websocket.MessageText, v.subscription()); err != nil {
		_ = conn.CloseNow()
		return nil, err
	}
	c.work.Go(func() { c.speak(ctx, v) })
	return c, nil
}

// speak acks every second, and hides the page now and then if its viewer does.
func (c *socketChannel) speak(ctx context.Context, v *viewer) {
	tick := time.NewTicker(ackEvery)
	defer tick.Stop()
	hidden := false
	for {
		select {
		case <-tick.C:
		case <-c.done:
			return
		}
		message := fmt.Sprintf(`{"type":"ack","bytes":%d}`, c.got.Load())
		if c.conn.Write(ctx, websocket.MessageText, []byte(message)) != nil {
			return // reading finds out why
		}
		if hide := v.hides && !hidden && !v.o.ending.Load(); hide != hidden {
			hidden = hide
			message = map[bool]string{true: `{"type":"pause"}`, false: `{"type":"resume"}`}[hidden]
			if c.conn.Write(ctx, websocket.MessageText, []byte(message)) != nil {
				return
			}
		}
	}
}

func (c *socketChannel) next(ctx context.Context) ([]byte, error) {
	_, message, err := c.conn.Read(ctx)
	c.got.Add(int64(len(message)))
	return message, err
}

func (c *socketChannel) close() {
	close(c.done)
	_ = c.conn.CloseNow()
	c.work.Wait()
}

// streamChannel is POST /live/sse.
type streamChannel struct {
	answer *http.Response
	from   *bufio.Reader
}

func post(ctx context.Context, client *http.Client, address string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%s: %s", address, answer.Status)
	}
	return answer, nil
}

func openStream(ctx context.Context, client *http.Client, address string, v *viewer) (*streamChannel, error) {
	answer, err := post(ctx, client, address+"/live/sse", v.subscription())
	if err != nil {
		return nil, err
	}
	return &streamChannel{answer, bufio.NewReader(answer.Body)}, nil
}

func (c *streamChannel) next(context.Context) ([]byte, error) {
	ended := false
	for {
		line, err := c.from.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if bytes.Equal(line, []byte("event: close\n")) {
			ended = true
		}
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			if ended {
				return nil, errEnded
			}
			return bytes.TrimSuffix(data, []byte("\n")), nil
		}
	}
}

func (c *streamChannel) close() { _ = c.answer.Body.Close() }

// polls is POST /live/poll, again and again.
type polls struct {
	client *http.Client
	url    string
	v      *viewer
	frames []json.RawMessage
	state  string
	ended  bool
}

func (c *polls) next(ctx context.Context) ([]byte, error) {
	for len(c.frames) == 0 {
		if c.ended {
			return nil, errEnded
		}
		answer, err := c.ask(ctx)
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			// A server closes connections on which no request came for a while, perhaps
			// just as one is on its way. Browsers send it once more, and so does this.
			answer, err = c.ask(ctx)
		}
		if err != nil {
			return nil, err
		}
		var got struct {
			Frames []json.RawMessage `json:"frames"`
			State  string            `json:"state"`
			Close  *struct{}         `json:"close"`
		}
		err = json.NewDecoder(answer.Body).Decode(&got)
		_ = answer.Body.Close()
		if err != nil {
			return nil, err
		}
		c.frames, c.state, c.ended = got.Frames, got.State, got.Close != nil
	}
	frame := c.frames[0]
	c.frames = c.frames[1:]
	return frame, nil
}

func (c *polls) ask(ctx context.Context) (*http.Response, error) {
	return post(ctx, c.client, c.url+"/live/poll?state="+url.QueryEscape(c.state), c.v.subscription())
}

func (c *polls) close() {}
