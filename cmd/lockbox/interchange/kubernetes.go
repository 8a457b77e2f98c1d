package interchange

import (
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Secret is what a Kubernetes Secret is called.
type Secret struct {
	Name string
	// Namespace may be empty; it is left to who applies the manifest then.
	Namespace string
}

// What Kubernetes takes: a DNS subdomain and a DNS label (RFC 1123), names of at most 253 characters in data, and 1 MiB of
// values in all.
var (
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

const (
	maxSubdomain   = 253
	maxLabel       = 63
	maxSecretBytes = 1 << 20
)

// SecretName makes the name of a Secret from the key of an entry; it may come to none that Kubernetes takes.
func SecretName(key string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("/:_@", c) {
			return '-'
		}
		return c
	}, strings.ToLower(key))
}

// WriteKubernetes writes variables as the manifest of a Secret, with values in base64 under data. It is no more secret
// than the values are.
func WriteKubernetes(out io.Writer, secret Secret, variables []Variable) error {
	if !dnsSubdomain.MatchString(secret.Name) || len(secret.Name) > maxSubdomain {
		return fmt.Errorf("%q is no name for a Kubernetes Secret: use --name with lower-case letters, digits, '-' "+
			"and '.'", secret.Name)
	}
	if secret.Namespace != "" && (!dnsLabel.MatchString(secret.Namespace) || len(secret.Namespace) > maxLabel) {
		return fmt.Errorf("%q is no name for a Kubernetes namespace: use lower-case letters, digits and '-', 63 at most", secret.Namespace)
	}
	data, size := &yaml.Node{Kind: yaml.MappingNode}, 0
	for _, each := range variables {
		if size += len(each.Value); size > maxSecretBytes {
			return fmt.Errorf("a Kubernetes Secret holds 1 MiB, and with %s it is more", each.Name)
		}
		if len(each.Name) > maxSubdomain {
			return fmt.Errorf("the name %.40s… is longer than the %d characters that a Kubernetes Secret takes",
				each.Name, maxSubdomain)
		}
		data.Content = append(data.Content, yamlName(each.Name),
			yamlString(base64.StdEncoding.EncodeToString([]byte(each.Value))))
	}
	metadata := mapping("name", yamlString(secret.Name))
	if secret.Namespace != "" {
		metadata.Content = append(metadata.Content, yamlName("namespace"), yamlString(secret.Namespace))
	}
	return writeNode(out, mapping("apiVersion", yamlName("v1"), "kind", yamlName("Secret"), "metadata", metadata,
		"type", yamlName("Opaque"), "data", data))
}

// mapping makes a node of names, each followed by its node.
func mapping(namesAndNodes ...any) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, each := range namesAndNodes {
		switch each := each.(type) {
		case string:
			node.Content = append(node.Content, yamlName(each))
		case *yaml.Node:
			node.Content = append(node.Content, each)
		}
	}
	return node
}
