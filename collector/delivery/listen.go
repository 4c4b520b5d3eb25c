package delivery

import (
	"context"
	"net"
)

// Listen opens a TCP port. Multipath TCP, which package net would try, is of no use on loopback and costs calls at the start.
func Listen(address string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(context.Background(), "tcp", address)
}
