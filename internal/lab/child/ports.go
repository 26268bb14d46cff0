package child

import (
	"context"
	"fmt"
	"net"
)

// FreePorts finds ports on the loopback interface that nobody uses now.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all are held until all are found
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("find a free port: %v is no TCP address", l.Addr())
		}
		ports[i] = addr.Port
	}
	return ports, nil
}
