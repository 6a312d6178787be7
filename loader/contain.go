package loader

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of a driver's code that was recovered.
type PanicError struct {
	// Value is what the code panicked with.
	Value any
	// Stack is the stack of the panicking goroutine, as debug.Stack gives it.
	Stack []byte
}

// Error returns the value of the panic in words, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if the code panicked with an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errGoexit = errors.New("call of runtime.Goexit")

// contain calls a driver's code in a goroutine of its own and waits for it, so
// that neither a panic nor runtime.Goexit reaches the caller's. It returns nil
// if f returned, else a *PanicError or errGoexit.
func contain(f func()) (ended error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if v := recover(); v != nil {
				ended = &PanicError{Value: v, Stack: debug.Stack()}
			} else if !returned {
				ended = errGoexit
			}
		}()
		f()
		returned = true
	}()
	<-done
	return ended
}
