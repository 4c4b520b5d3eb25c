//go:build race

package main

// The extension is built with what its tests are built with.
const raced = true
