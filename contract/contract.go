package contract

import (
	"errors"
	"fmt"
	"reflect"
)

// Contract describes a contract whose drivers are of type D. The zero value
// describes nothing; use [Define]. A Contract is immutable and safe for
// concurrent use.
type Contract[D any] struct {
	name     string
	version  string
	optional []Optional
}

// Optional is an optional interface of a contract: one that a driver may
// implement and a host asks for by type assertion.
type Optional struct {
	// Name is how documents and reports call it.
	Name string
	// Type is the interface type.
	Type reflect.Type
}

// Option returns the optional interface I under a name, for [Define].
func Option[I any](name string) Optional {
	return Optional{Name: name, Type: reflect.TypeFor[I]()}
}

// Define describes a contract by its name ([a-z][a-z0-9_-]{0,63}), the
// semantic version that this copy of it has, and its optional interfaces. D
// must be an alias of an interface literal.
//
// The error joins every fault: a bad name or version, an optional interface
// given twice, and, for D and each optional interface, every place where it
// breaks the structural rule.
func Define[D any](name, version string, optional ...Optional) (*Contract[D], error) {
	var faults []error
	if err := checkName(name); err != nil {
		faults = append(faults, fmt.Errorf("contract name: %w", err))
	}
	if err := checkVersion(version); err != nil {
		faults = append(faults, fmt.Errorf("contract version: %w", err))
	}
	faults = append(faults, structuralFaults("Driver", reflect.TypeFor[D]())...)
	seen := map[string]bool{}
	for _, o := range optional {
		if o.Name == "" || o.Type == nil {
			faults = append(faults, errors.New("optional interface without a name or a type: make it with contract.Option"))
			continue
		}
		if seen[o.Name] {
			faults = append(faults, fmt.Errorf("optional interface %s is given twice", o.Name))
		}
		seen[o.Name] = true
		faults = append(faults, structuralFaults(o.Name, o.Type)...)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("contract %q is not usable: %w", name, errors.Join(faults...))
	}
	return &Contract[D]{name: name, version: version, optional: append([]Optional(nil), optional...)}, nil
}

// MustDefine is [Define] for package variables; it panics on an error.
//
// When name and version come from a package variable that is called
// keywayContract and is of type [2]string, they can be read from the file of a
// host without running it: "drivercheck host" lists them, so that drivers can be
// checked against a program that nobody starts.
//
//	var keywayContract = [2]string{"codec", "2.1.0"}
//
//	var Codec = contract.MustDefine[Driver](keywayContract[0], keywayContract[1])
func MustDefine[D any](name, version string, optional ...Optional) *Contract[D] {
	c, err := Define[D](name, version, optional...)
	if err != nil {
		panic(err)
	}
	return c
}

// Name returns the name that a manifest gives in contract.name.
func (c *Contract[D]) Name() string { return c.name }

// Version returns the semantic version of this copy of the contract.
func (c *Contract[D]) Version() string { return c.version }

// DriverType returns the type D.
func (c *Contract[D]) DriverType() reflect.Type { return reflect.TypeFor[D]() }

// Optional returns the optional interfaces in the order of [Define]. The
// caller may change the slice.
func (c *Contract[D]) Optional() []Optional { return append([]Optional(nil), c.optional...) }
