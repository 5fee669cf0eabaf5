// k3s-preload imports an images directory into a containerd with k3s' own code, as k3s does at a start.
// It is built inside a copy of the k3s module, whose replace directives it needs.
package main

import (
	"context"
	"flag"
	"log"
	"strings"

	"github.com/k3s-io/k3s/pkg/agent/containerd"
	"github.com/k3s-io/k3s/pkg/daemons/config"
)

func main() {
	var node config.Node
	flag.StringVar(&node.Containerd.Address, "address", "", "socket of containerd")
	flag.StringVar(&node.Images, "images", "", "the images directory")
	registries := flag.String("registries", "", "registries under which images get a name too, with commas")
	flag.Parse()
	if *registries != "" {
		node.AgentConfig.AirgapExtraRegistry = strings.Split(*registries, ",")
	}
	if err := containerd.PreloadImages(context.Background(), &node); err != nil {
		log.Fatal(err)
	}
}
