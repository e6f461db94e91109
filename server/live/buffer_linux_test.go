package live

import (
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
)

// What the kernel holds for a viewer that does not read is bounded for event
// streams as for sockets.
func TestTheKernelHoldsLittleForAStream(t *testing.T) {
	size := make(chan int, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		newEvents(w, r)
		conn, _ := r.Context().Value(connKey{}).(*net.TCPConn)
		raw, err := conn.SyscallConn()
		if err != nil {
			t.Error(err)
			return
		}
		if err := raw.Control(func(fd uintptr) {
			n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
			if err != nil {
				t.Error(err)
			}
			size <- n
		}); err != nil {
			t.Error(err)
		}
	}))
	s.Config.ConnContext = KeepConn
	s.Start()
	defer s.Close()
	answer, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if n := <-size; n != 2*sendBuffer { // Linux doubles it, for what it needs itself
		t.Errorf("the kernel may hold %d bytes", n)
	}
}
