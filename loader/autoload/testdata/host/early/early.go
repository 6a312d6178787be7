// Package early is initialized before loader/autoload, and registers a name.
package early

import (
	"database/sql"
	"database/sql/driver"
	"errors"
)

type taken struct{}

func (taken) Open(string) (driver.Conn, error) { return nil, errors.New("the program's own") }

func init() { sql.Register("taken", taken{}) }
