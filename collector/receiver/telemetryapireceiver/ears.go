package telemetryapireceiver

import (
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ears hear announcements at a port of loopback. The socket is a file, since package net's UDP would add 40 KB to the binary.
type ears struct {
	socket  *os.File
	fd      int
	self    syscall.Sockaddr
	settled chan string // marks that have come back

	mu     sync.Mutex
	closed bool
}

const mark = "\x00mark " // begins what ears say to themselves

// listen returns nil when the port is 0.
func listen(port int, hear func(*announcement)) (*ears, error) {
	if port == 0 {
		return nil, nil
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	e := &ears{fd: fd, self: &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, settled: make(chan string, 16)}
	if err := syscall.Bind(fd, e.self); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("bind to UDP port "+strconv.Itoa(port), err)
	}
	e.socket = os.NewFile(uintptr(fd), "announcements")
	go e.hear(hear)
	return e, nil
}

func (e *ears) hear(hear func(*announcement)) {
	buffer := make([]byte, largestAnnouncement)
	for {
		n, err := e.socket.Read(buffer)
		if err != nil && !errors.Is(err, io.EOF) { // a datagram of no bytes looks like the end of a file
			return
		}
		said := string(buffer[:n])
		if len(said) >= len(mark) && said[:len(mark)] == mark {
			select {
			case e.settled <- said:
			default: // nobody waits
			}
		} else if a := parseAnnouncement(said); a != nil {
			hear(a)
		}
	}
}

// settle returns when everything is heard that was said before: a mark goes through the same socket. It takes a bounded time.
func (e *ears) settle() {
	if e == nil {
		return
	}
	own := mark + strconv.FormatInt(time.Now().UnixNano(), 36)
	if !e.say(own) {
		return
	}
	late := time.After(50 * time.Millisecond)
	for {
		select {
		case back := <-e.settled:
			if back == own {
				return
			}
		case <-late:
			return
		}
	}
}

// say sends to itself; false when that cannot be.
func (e *ears) say(text string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.closed && syscall.Sendto(e.fd, []byte(text), syscall.MSG_DONTWAIT, e.self) == nil
}

func (e *ears) close() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	_ = e.socket.Close()
}
