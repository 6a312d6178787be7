package reference

import "slices"

// Mutation is a fault that the driver can be given.
type Mutation struct {
	ID    string // of the check that must notice it
	Fault string // what the mutant does wrong, and when
}

// Mutants returns all that there are. The faults themselves are where the
// right code is, behind a call of broken.
func Mutants() []Mutation { return slices.Concat(sessionMutants, dataMutants) }

// broken tells whether the driver is the mutant for a check.
func (d *Driver) broken(id string) bool { return d.mutant == id }

func (c *connector) broken(id string) bool { return c.d.broken(id) }
func (c *conn) broken(id string) bool      { return c.d.broken(id) }
