// Package clickhouse is a driver for tests.
package clickhouse

import (
	"database/sql/driver"
	_ "embed"

	"github.com/ClickHouse/clickhouse-go/v2"
)

//go:embed driver.json
var DriverManifest string

type drv struct{}

func (drv) Name() string { return "clickhouse" }

func (drv) OpenConnector(dsn string) (driver.Connector, error) {
	o, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return clickhouse.Connector(o), nil
}

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return drv{}
}
