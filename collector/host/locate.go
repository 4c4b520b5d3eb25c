package host

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Locate fills in where the problem in err, if it is one, stands in the configuration's sources. It reads them again: only errors pay for lines.
func Locate(err error, uris []string) {
	var p *Problem
	if !errors.As(err, &p) || p.Line > 0 || len(uris) == 0 {
		return
	}
	depth := -1
	for _, uri := range uris { // of several the last counts, since it overrides the others
		text, readable := source(uri)
		if !readable {
			continue
		}
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(text), &root); err != nil {
			if p.Key == "" {
				p.Source, p.Line, p.Cause = brief(uri), lineOf(err), oneLine(err.Error())
				p.Remedy = "mend the YAML at this line or the one before: indentation by spaces, brackets and quotes closed"
				return
			}
			continue
		}
		if p.Key == "" {
			if at, line := referring(&root, p.Cause, ""); line > 0 {
				p.Source, p.Key, p.Line = brief(uri), at, line
				return
			}
			continue
		}
		if line, found := lineAt(&root, p.Key, p.item); found >= depth && line > 0 {
			p.Source, p.Line, depth = brief(uri), line, found
		}
	}
	if p.Source == "" {
		names := make([]string, len(uris))
		for i, uri := range uris {
			names[i] = brief(uri)
		}
		p.Source = strings.Join(names, ", ")
	}
}

// source is the text of a configuration that is at hand.
func source(uri string) (string, bool) {
	scheme, rest, found := strings.Cut(uri, ":")
	switch {
	case !found:
		scheme, rest = "file", uri
	case scheme == "yaml":
		return rest, true
	case scheme == "env":
		name, otherwise, _ := strings.Cut(rest, ":-")
		if value := os.Getenv(name); value != "" {
			return value, true
		}
		return otherwise, otherwise != ""
	}
	if scheme != "file" {
		return "", false
	}
	text, err := os.ReadFile(rest)
	return string(text), err == nil
}

// brief is a URI as a log line shows it: a file by its path, a text by its beginning.
func brief(uri string) string {
	if path, found := strings.CutPrefix(uri, "file:"); found {
		return path
	}
	text := oneLine(uri)
	if strings.HasPrefix(uri, "yaml:") && len(text) > 60 {
		return strings.ToValidUTF8(text[:57], "") + "..."
	}
	return text
}

// lineOf is the line that an error of the YAML library tells.
func lineOf(err error) int {
	_, rest, _ := strings.Cut(err.Error(), "line ")
	digits, _, _ := strings.Cut(rest, ":")
	line, err := strconv.Atoi(digits)
	if err != nil {
		return 1
	}
	return line
}

// lineAt is the line of a key, or of the nearest one above it that is there; found is how much of the key that is.
func lineAt(root *yaml.Node, key, item string) (line, found int) {
	node := root
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	rest := key
	for rest != "" {
		name, value := entry(node, rest)
		if name == nil {
			return line, len(key) - len(rest)
		}
		line, node = name.Line, value
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, name.Value), "::")
	}
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	for _, element := range node.Content {
		if node.Kind == yaml.SequenceNode && item != "" && element.Value == item {
			line = element.Line
		}
	}
	return line, len(key)
}

// entry is the key, with its value, that begins a path: keys may themselves be written as a::b.
func entry(node *yaml.Node, path string) (key, value *yaml.Node) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if name := node.Content[i]; name.Value == path || strings.HasPrefix(path, name.Value+"::") {
			return name, node.Content[i+1]
		}
	}
	return nil, nil
}

// referring finds the value whose ${scheme:...} an error speaks of.
func referring(node *yaml.Node, cause, at string) (string, int) {
	if node.Kind == yaml.ScalarNode {
		for rest := node.Value; ; {
			_, after, found := strings.Cut(rest, "${")
			if !found {
				return "", 0
			}
			uri, tail, _ := strings.Cut(after, "}")
			if _, opaque, _ := strings.Cut(uri, ":"); strings.Contains(cause, uri) || (len(opaque) > 2 && strings.Contains(cause, opaque)) {
				return at, node.Line
			}
			rest = tail
		}
	}
	for i, child := range node.Content {
		key := at
		if node.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			key = joinKey(at, node.Content[i-1].Value)
		}
		if found, line := referring(child, cause, key); line > 0 {
			return found, line
		}
	}
	return "", 0
}
