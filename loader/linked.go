package loader

import (
	"context"
	"sync"

	"github.com/keyway-go/keyway/contract"
)

// linked is a driver that is part of the program.
type linked[D any] struct {
	manifest  contract.Manifest
	newDriver func() D
}

// linkedIn are the drivers that are part of the program, in the order in which
// they were registered.
var linkedIn struct {
	sync.Mutex
	all []any // of type *linked[D], for any D
}

// Register makes a driver known that is compiled into the program, to every
// loader of its contract, those that exist included. It is loaded like one from
// a file: lazily, as one version among those of its name, by the same
// constraints. Of a file and a driver in the program that have one name and
// version, the one in the program is taken.
//
//	err := loader.Register("sqlite", sqlite.NewDriver, sqlite.DriverManifest)
//
// The manifest is that of a driver file. newDriver is not called yet. The error
// tells that newDriver is nil, that the manifest is not valid or is another
// driver's, or that the name is registered with this version already.
func Register[D any](name string, newDriver func() D, manifest string) error {
	fault := func(wanted, found, remedy string, cause error) error {
		return &LoadError{Stage: StageRegister, Driver: name, Wanted: wanted, Found: found, Remedy: remedy, Err: cause}
	}
	if newDriver == nil {
		return fault("a function that makes a driver", "nil", "give the driver's NewDriver", nil)
	}
	m, err := contract.ParseManifest([]byte(manifest))
	if err != nil {
		return fault("a valid manifest", err.Error(), "give the driver's DriverManifest, and correct driver.json", err)
	}
	if m.Name != name {
		return fault("the manifest of driver "+name, "that of driver "+m.Name, "register the driver as "+m.Name, nil)
	}
	linkedIn.Lock()
	defer linkedIn.Unlock()
	for _, v := range linkedIn.all {
		if in, ok := v.(*linked[D]); ok && in.manifest.Name == m.Name && in.manifest.Version == m.Version {
			return fault("a version that is not registered", m.Name+" "+m.Version+", which is", "register each version of a driver once", nil)
		}
	}
	linkedIn.all = append(linkedIn.all, &linked[D]{manifest: m, newDriver: newDriver})
	return nil
}

// linkedIn returns the drivers in the program that are of the loader's type and
// contract.
func (l *Loader[D]) linkedIn() []*linked[D] {
	linkedIn.Lock()
	defer linkedIn.Unlock()
	var mine []*linked[D]
	for _, v := range linkedIn.all {
		if in, ok := v.(*linked[D]); ok && in.manifest.Contract.Name == l.contract.Name() {
			mine = append(mine, in)
		}
	}
	return mine
}

// throughLinked takes a driver in the program through the stages that there are
// for it: agree, bind and register.
func (l *Loader[D]) throughLinked(ctx context.Context, in *linked[D]) (*Driver[D], error) {
	m := in.manifest
	if d, ok := l.drivers.find(func(d *Driver[D]) bool {
		return d.Linked && d.Manifest.Name == m.Name && d.Manifest.Version == m.Version
	}); ok {
		return d, nil
	}
	if err := agree(l.contract.Name(), l.contract.Version(), l.versions, m, "", ""); err != nil {
		return nil, err
	}
	value, name, err := callNewDriver(in.newDriver)
	if err == nil {
		err = checkDriverName(name, m.Name)
	}
	if err != nil {
		return nil, ofDriver(m.Name, err)
	}
	if err := giveLogger(value, l.cfg.Logger); err != nil {
		shutDown(l.log, m, value)
		return nil, ofDriver(m.Name, err)
	}
	d := &Driver[D]{Manifest: m, Linked: true, New: in.newDriver, Value: value}
	return d, l.registered(ctx, d)
}
