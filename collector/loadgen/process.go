package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// used is what a process has used so far.
type used struct{ cpu, rss, peak float64 } // seconds, MB

func usage(pid int) (u used, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, ticks := range fields[11:13] { // user, system
		n, _ := strconv.Atoi(ticks)
		u.cpu += float64(n) / 100
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(line, ":"); name == "VmRSS" || name == "VmHWM" {
			kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			if name == "VmRSS" {
				u.rss = kb * 1024 / 1e6
			} else {
				u.peak = kb * 1024 / 1e6
			}
		}
	}
	return u, err
}
