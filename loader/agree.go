package loader

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/Masterminds/semver/v3"

	"github.com/keyway-go/keyway/contract"
)

// agree compares the manifest with the contract, the application's wishes and
// the file's own name. wanted is the name asked for, or "".
func agree(contractName, contractVersion string, app versions, m contract.Manifest, wanted, file string) error {
	refuse := func(wanted, found, remedy string, err error) error {
		return &LoadError{Stage: StageAgree, Driver: m.Name, Wanted: wanted, Found: found, Remedy: remedy, Err: err}
	}
	if m.Contract.Name != contractName {
		return refuse("contract "+contractName, "contract "+m.Contract.Name, "use a driver for the contract "+contractName, nil)
	}
	accepts, err := semver.NewConstraint(m.Contract.Version)
	if err != nil {
		return refuse(`a constraint such as "^1.0" in contract.version of the manifest`, fmt.Sprintf("%.80q", m.Contract.Version),
			"correct driver.json and build the driver again", err)
	}
	has, err := semver.StrictNewVersion(contractVersion)
	if err != nil {
		return refuse("a semantic version of the host's contract", fmt.Sprintf("%q", contractVersion), "", err)
	}
	if ok, why := accepts.Validate(has); !ok {
		return refuse(fmt.Sprintf("a driver that accepts contract %s %s, which this host has", contractName, contractVersion),
			fmt.Sprintf("driver %s %s, which accepts %s %s", m.Name, m.Version, contractName, m.Contract.Version),
			"use a version of the driver that accepts "+contractVersion+", or a host with a contract that the driver accepts", errors.Join(why...))
	}
	if !app.allow(m.Name, m.Version) {
		return refuse("version "+app.text(m.Name)+" of driver "+m.Name+", as the application asks", "version "+m.Version,
			"install a version that the application allows", nil)
	}
	if wanted != "" && wanted != m.Name {
		return refuse("driver "+wanted+", as the file is called", "driver "+m.Name+" in the manifest",
			"name the file "+m.Name+".so or "+m.Name+"-v"+m.Version+".so", nil)
	}
	if _, version, ok := splitFileName(filepath.Base(file)); ok && version != "" && version != m.Version {
		return refuse("version "+version+", as the file is called", "version "+m.Version+" in the manifest",
			"name the file "+m.Name+"-v"+m.Version+".so", nil)
	}
	return nil
}

// Accepts returns nil if a constraint, as contract.version of a manifest holds
// one, accepts a version of the contract; else the error says why not.
func Accepts(constraint, version string) error {
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return fmt.Errorf("%.80q is no constraint such as \"^1.0\": %w", constraint, err)
	}
	v, err := semver.StrictNewVersion(version)
	if err != nil {
		return fmt.Errorf("%.80q is no semantic version: %w", version, err)
	}
	_, why := c.Validate(v)
	return errors.Join(why...)
}

// versions are the application's constraints on drivers, by name.
type versions map[string]*semver.Constraints

func parseVersions(texts map[string]string) (versions, error) {
	v := versions{}
	var faults []error
	for name, text := range texts {
		c, err := semver.NewConstraint(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("loader: version %q for driver %q: %w", text, name, err))
			continue
		}
		v[name] = c
	}
	return v, errors.Join(faults...)
}

func (v versions) allow(name, version string) bool {
	c := v[name]
	if c == nil {
		return true
	}
	parsed, err := semver.StrictNewVersion(version)
	return err == nil && c.Check(parsed)
}

// text returns the constraint on a name in words.
func (v versions) text(name string) string {
	if c := v[name]; c != nil {
		return c.String()
	}
	return "any"
}

// compareVersions orders semantic versions; one that is none comes first.
func compareVersions(a, b string) int {
	va, errA := semver.StrictNewVersion(a)
	vb, errB := semver.StrictNewVersion(b)
	switch {
	case errA != nil && errB != nil:
		return 0
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return va.Compare(vb)
}
