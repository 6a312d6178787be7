// Package sqlserver is a driver for tests.
package sqlserver

import (
	"database/sql/driver"
	_ "embed"

	mssql "github.com/microsoft/go-mssqldb"
)

//go:embed driver.json
var DriverManifest string

type drv struct{}

func (drv) Name() string { return "sqlserver" }

func (drv) OpenConnector(dsn string) (driver.Connector, error) { return mssql.NewConnector(dsn) }

func NewDriver() interface {
	Name() string
	OpenConnector(string) (driver.Connector, error)
} {
	return drv{}
}
