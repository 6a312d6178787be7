// Package remote is what Keyway is compared with: a SQL driver in a process of
// its own, which hashicorp/go-plugin starts and talks to over gRPC. Both ends are
// drivers for database/sql, so the same benchmark runs through it.
//
// It is meant to be as fast as such a thing easily gets: rows cross in batches,
// values without a message for each, statements can be prepared, and the last
// batch says that it is the last.
package remote

//go:generate protoc -I remotepb --go_out=remotepb --go_opt=paths=source_relative --go-grpc_out=remotepb --go-grpc_opt=paths=source_relative remotepb/remote.proto

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/keyway-go/keyway/bench/remote/remotepb"
	"github.com/keyway-go/keyway/contract"
)

var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "KEYWAY_BENCH_REMOTE", MagicCookieValue: "sql"}

const pluginName = "database"

// Asked tells whether the process was started by [Start].
func Asked() bool { return os.Getenv(handshake.MagicCookieKey) == handshake.MagicCookieValue }

// Serve answers for a driver until the process that called [Start] ends the
// connection. It does not return before.
func Serve(d contract.Driver) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{pluginName: &both{driver: d}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}

// Start runs a command that calls [Serve], and returns the driver that it serves.
// stop ends the process; without it the process ends with this one.
func Start(cmd *exec.Cmd) (d contract.Driver, stop func(), err error) {
	endWithParent(cmd)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          plugin.PluginSet{pluginName: &both{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              cmd,
		Logger:           hclog.NewNullLogger(),
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	value, err := protocol.Dispense(pluginName)
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	return value.(*remoteDriver), client.Kill, nil
}

// both is the plugin as go-plugin wants it described: its two ends.
type both struct {
	plugin.NetRPCUnsupportedPlugin
	driver contract.Driver
}

// GRPCServer implements [plugin.GRPCPlugin].
func (b *both) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if b.driver == nil {
		return errors.New("remote: no driver to serve")
	}
	remotepb.RegisterDatabaseServer(s, newServer(b.driver))
	return nil
}

// GRPCClient implements [plugin.GRPCPlugin].
func (b *both) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &remoteDriver{remotepb.NewDatabaseClient(c)}, nil
}
