package delivery

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// Recover makes, deferred, an error of a panic: a panic that ends the process fails the user's function.
func Recover(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("panic: %v, %s", cause, place())
	}
}

// Safely calls do, and returns its error or its panic as one.
func Safely(do func() error) (err error) {
	defer Recover(&err)
	return do()
}

// place is where it panicked, in one line: the first calls below the panic itself.
func place() string {
	_, below, _ := strings.Cut(string(debug.Stack()), "\npanic(")
	lines := strings.Split(below, "\n")
	return strings.Join(strings.Fields(strings.Join(lines[min(2, len(lines)):min(8, len(lines))], " ")), " ")
}
