//go:build !linux && !freebsd

package fsinfo

import "errors"

func stat(string) (Info, error) { return Info{}, errors.ErrUnsupported }
