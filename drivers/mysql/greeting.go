package mysql

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
)

// dial connects as upstream would, and sees to what the server says first.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &greeted{Conn: conn}, nil
}

// greeted is a connection on whose first packet, the server's greeting, MariaDB
// does not offer to leave out the columns of a prepared statement's rows where
// they are as they were. Upstream takes the offer, and then its Stmt.Exec, for a
// query, takes rows for the columns that are not there: with few rows it waits
// for ever for more (Exec in statement.go of v1.10.1).
type greeted struct {
	net.Conn
	greeting []byte // what of it was not handed out yet
	greeted  bool
}

// Read hands out the greeting first. Upstream reads from one goroutine at a time.
func (c *greeted) Read(b []byte) (int, error) {
	if !c.greeted {
		var err error
		if c.greeting, err = readGreeting(c.Conn); err != nil {
			return 0, err
		}
		c.greeted = true
	}
	if len(c.greeting) > 0 {
		n := copy(b, c.greeting)
		c.greeting = c.greeting[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// SyscallConn lets upstream look whether the server has closed an idle
// connection.
func (c *greeted) SyscallConn() (syscall.RawConn, error) {
	if conn, ok := c.Conn.(syscall.Conn); ok {
		return conn.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// readGreeting reads one packet. It must not be made longer or shorter.
func readGreeting(r io.Reader) ([]byte, error) {
	packet := make([]byte, 4)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	size := int(packet[0]) | int(packet[1])<<8 | int(packet[2])<<16
	packet = append(packet, make([]byte, size)...)
	if _, err := io.ReadFull(r, packet[4:]); err != nil {
		return nil, err
	}
	refuseCache(packet[4:])
	return packet, nil
}

const (
	clientMySQL         = 1      // of the capabilities; MariaDB does not set it
	clientCacheMetadata = 1 << 4 // of MariaDB's own capabilities
)

// refuseCache takes MARIADB_CLIENT_CACHE_METADATA out of the capabilities in a
// greeting, "Protocol::HandshakeV10" in MySQL's documentation. Anything else,
// such as an error, stays as it is.
func refuseCache(payload []byte) {
	if len(payload) == 0 || payload[0] != 10 {
		return
	}
	// version, NUL; connection id 4, scramble 8, filler 1
	version := bytes.IndexByte(payload, 0)
	lower := version + 1 + 4 + 8 + 1
	// capabilities 2; character set 1, status 2, capabilities 2, length 1, reserved 6
	own := lower + 2 + 1 + 2 + 2 + 1 + 6
	if version < 0 || len(payload) < own+4 || payload[lower]&clientMySQL != 0 {
		return
	}
	flags := payload[own : own+4]
	binary.LittleEndian.PutUint32(flags, binary.LittleEndian.Uint32(flags)&^clientCacheMetadata)
}
