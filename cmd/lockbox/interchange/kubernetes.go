package interchange

import (
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Secret identifies a Kubernetes Secret.
type Secret struct {
	Name string
	// If Namespace is "", the manifest names no namespace, and kubectl uses its current namespace.
	Namespace string
}

// The name of a Secret must be a DNS subdomain. The name of a namespace must be a DNS label (RFC 1123).
var (
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

// These are limits of Kubernetes. maxSubdomain limits the length of a Secret's name and of each key in its data, and
// maxLabel limits the length of a namespace. maxSecretBytes limits the total size of a Secret's values. WriteKubernetes
// checks these limits, because otherwise a user would see an error only on applying the manifest.
const (
	maxSubdomain   = 253
	maxLabel       = 63
	maxSecretBytes = 1 << 20
)

// SecretName derives the name of a Secret from the key of an entry. Kubernetes does not accept every name that
// SecretName returns. WriteKubernetes checks the name.
func SecretName(key string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("/:_@", c) {
			return '-'
		}
		return c
	}, strings.ToLower(key))
}

// WriteKubernetes writes variables as the manifest of a Secret, with base64 values under data. Base64 is not
// encryption, so a manifest needs the same protection as the values.
func WriteKubernetes(out io.Writer, secret Secret, variables []Variable) error {
	if !dnsSubdomain.MatchString(secret.Name) || len(secret.Name) > maxSubdomain {
		return fmt.Errorf("%q is not a valid name for a Kubernetes Secret: "+
			"use --name with lower-case letters, digits, '-' and '.'", secret.Name)
	}
	if secret.Namespace != "" && (!dnsLabel.MatchString(secret.Namespace) || len(secret.Namespace) > maxLabel) {
		return fmt.Errorf("%q is not a valid Kubernetes namespace: use up to %d lower-case letters, digits and '-'",
			secret.Namespace, maxLabel)
	}
	data, err := secretData(variables)
	if err != nil {
		return err
	}
	// Quote each name that a user chooses. For example, a Secret may have the name true or 1. Without quotes, YAML
	// would read these names as a boolean and a number.
	metadata := mapping("name", yamlString(secret.Name))
	if secret.Namespace != "" {
		metadata.Content = append(metadata.Content, yamlName("namespace"), yamlString(secret.Namespace))
	}
	return writeNode(out, mapping("apiVersion", yamlName("v1"), "kind", yamlName("Secret"), "metadata", metadata,
		"type", yamlName("Opaque"), "data", data))
}

// secretData returns the YAML mapping for the field data of a Secret. It returns an error if the variables exceed a
// limit of Kubernetes.
func secretData(variables []Variable) (*yaml.Node, error) {
	// Count the bytes of the values before base64 encoding, as the API server of Kubernetes does.
	data, size := &yaml.Node{Kind: yaml.MappingNode}, 0
	for _, each := range variables {
		if size += len(each.Value); size > maxSecretBytes {
			return nil, fmt.Errorf("the values are too large for a Kubernetes Secret: "+
				"the variable %s raises the total above 1 MiB", each.Name)
		}
		if len(each.Name) > maxSubdomain {
			return nil, fmt.Errorf("the name %.40s… is longer than the %d characters that a Kubernetes Secret allows",
				each.Name, maxSubdomain)
		}
		data.Content = append(data.Content, yamlName(each.Name),
			yamlString(base64.StdEncoding.EncodeToString([]byte(each.Value))))
	}
	return data, nil
}

// mapping returns a YAML mapping. The arguments alternate: a name (string) is followed by its value (*yaml.Node).
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
