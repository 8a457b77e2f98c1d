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
	// Namespace may be empty. The manifest then has no namespace, and kubectl apply uses the current one.
	Namespace string
}

// Names that Kubernetes accepts: a DNS subdomain for a Secret and a DNS label for a namespace (RFC 1123).
var (
	dnsSubdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	dnsLabel     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

// Limits of Kubernetes. maxSubdomain applies to the name of a Secret and to each key of its data, maxLabel to a
// namespace, and maxSecretBytes to all values of a Secret together. WriteKubernetes checks them, so that the user gets
// an error before applying the manifest.
const (
	maxSubdomain   = 253
	maxLabel       = 63
	maxSecretBytes = 1 << 20
)

// SecretName derives the name of a Secret from the key of an entry. The result is not always a name that Kubernetes
// accepts; WriteKubernetes checks it.
func SecretName(key string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("/:_@", c) {
			return '-'
		}
		return c
	}, strings.ToLower(key))
}

// WriteKubernetes writes variables as the manifest of a Secret, with base64 values under data. Base64 is not
// encryption: protect the manifest like the values themselves.
func WriteKubernetes(out io.Writer, secret Secret, variables []Variable) error {
	if !dnsSubdomain.MatchString(secret.Name) || len(secret.Name) > maxSubdomain {
		return fmt.Errorf("%q is not a valid name for a Kubernetes Secret: use --name with lower-case letters, "+
			"digits, '-' and '.'", secret.Name)
	}
	if secret.Namespace != "" && (!dnsLabel.MatchString(secret.Namespace) || len(secret.Namespace) > maxLabel) {
		return fmt.Errorf("%q is not a valid Kubernetes namespace: use up to %d lower-case letters, digits and '-'",
			secret.Namespace, maxLabel)
	}
	data, err := secretData(variables)
	if err != nil {
		return err
	}
	// Names such as true and 1 are valid for a Secret, so names that users choose are always quoted.
	metadata := mapping("name", yamlString(secret.Name))
	if secret.Namespace != "" {
		metadata.Content = append(metadata.Content, yamlName("namespace"), yamlString(secret.Namespace))
	}
	return writeNode(out, mapping("apiVersion", yamlName("v1"), "kind", yamlName("Secret"), "metadata", metadata,
		"type", yamlName("Opaque"), "data", data))
}

// secretData returns the YAML mapping for the field data of a Secret. It checks the limits of Kubernetes.
func secretData(variables []Variable) (*yaml.Node, error) {
	// The limit is on the decoded values, as in the API server of Kubernetes.
	data, size := &yaml.Node{Kind: yaml.MappingNode}, 0
	for _, each := range variables {
		if size += len(each.Value); size > maxSecretBytes {
			return nil, fmt.Errorf("the values exceed the 1 MiB limit of a Kubernetes Secret at %s", each.Name)
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

// mapping returns a YAML mapping. The arguments alternate between names (string) and values (*yaml.Node).
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
