// This is a separate module so that the package client depends on the standard library only. Inside this repository it
// is built against the local client; importers get the version in the require directive.
module github.com/lockbox-go/lockbox/client/koanf

go 1.26.0

replace github.com/lockbox-go/lockbox => ../..

require (
	github.com/knadh/koanf/v2 v2.4.1
	github.com/lockbox-go/lockbox v0.1.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/go-viper/mapstructure/v2 v2.4.0 // indirect
	github.com/knadh/koanf/maps v0.1.2 // indirect
	github.com/mitchellh/copystructure v1.2.0 // indirect
	github.com/mitchellh/reflectwalk v1.0.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
