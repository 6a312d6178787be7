package inspect

import "encoding/json"

// IsolationName is the variable of package main in which drivercheck build puts
// the text of an Isolation.
const IsolationName = "DriverIsolation"

// Isolation says of a driver file that it was built isolated, and what that
// changed. It is the file's own word, as the manifest is.
type Isolation struct {
	// ID is the first element of all package paths that are not the standard
	// library's, such as "sqlite_v1.2.0".
	ID string `json:"id"`
	// Dropped are the uses of sql.Register that do nothing in this file; never
	// nil.
	Dropped []Registration `json:"dropped"`
}

// Registration is a name for database/sql.
type Registration struct {
	// Package is the import path of the package that registers, as its sources
	// have it.
	Package string `json:"package"`
	// Name is what sql.Open would know, or "" when it is known only at run time.
	Name string `json:"name"`
}

// Text returns what the variable IsolationName holds.
func (i Isolation) Text() string {
	text, err := json.Marshal(i)
	if err != nil {
		panic(err) // strings can always be written
	}
	return string(text)
}

// parseIsolation returns nil for a text that is no Isolation: a driver may have
// a variable of that name for itself.
func parseIsolation(text string) *Isolation {
	var i Isolation
	if json.Unmarshal([]byte(text), &i) != nil || i.ID == "" || i.Dropped == nil {
		return nil
	}
	return &i
}
