// The API server alone, of the oldest Kubernetes that the chart claims: for tests of the resource.
package main

import (
	"os"
	// CronJobs name time zones, and nothing else here has a data base of them.
	_ "time/tzdata"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
