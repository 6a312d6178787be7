package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/keyway-go/keyway/conformance"
	"github.com/keyway-go/keyway/contract"
)

// suites are what the command holds drivers to, each of another contract.
type suites []conformance.AnySuite

// checkSuites returns every fault of what Main was given.
func checkSuites(all suites) error {
	if len(all) == 0 {
		return errors.New("the program gives no suite to hold drivers to")
	}
	var faults []error
	seen := map[string]bool{}
	for _, s := range all {
		name := s.Info().Name
		if err := s.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("the suite of contract %q is not sound: %w", name, err))
		}
		if seen[name] {
			faults = append(faults, fmt.Errorf("the program gives two suites of contract %q", name))
		}
		seen[name] = true
	}
	return errors.Join(faults...)
}

// of returns the suite of a contract.
func (all suites) of(name string) (conformance.AnySuite, bool) {
	for _, s := range all {
		if s.Info().Name == name {
			return s, true
		}
	}
	return nil, false
}

// forDriver returns the suite of the contract that a manifest names.
func (all suites) forDriver(m contract.Manifest) (conformance.AnySuite, error) {
	if s, ok := all.of(m.Contract.Name); ok {
		return s, nil
	}
	known := make([]string, len(all))
	for i, s := range all {
		known[i] = s.Info().Name + " " + s.Info().Version
	}
	return nil, usagef("driver %s is for contract %s, which is not known here\nknown: %s", m.Name, m.Contract.Name, strings.Join(known, ", "))
}

// names lists the contracts.
func (all suites) names() string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Info().Name
	}
	return strings.Join(names, ", ")
}

// catalogue lists the checks of all suites; those of any driver file, which each
// suite has, only once.
func (all suites) catalogue() []conformance.CheckInfo {
	var infos []conformance.CheckInfo
	seen := map[conformance.CheckInfo]bool{}
	for _, s := range all {
		for _, c := range s.Catalogue() {
			if !seen[c] {
				seen[c] = true
				infos = append(infos, c)
			}
		}
	}
	return infos
}
