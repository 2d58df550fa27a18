// Reads manifests as Kubernetes itself does: into its own types, where an unknown or repeated field is an error, and checks what the
// schema cannot say of an Indexed Job. Usage: go run . FILE...
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	batch "k8s.io/api/batch/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 2 {
		fail("expected the paths of manifests")
	}
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err != nil {
			fail(err.Error())
		}
		data, err := yaml.YAMLToJSONStrict(text)
		if err != nil {
			fail(path + ": " + err.Error())
		}
		var job batch.Job
		wrong, err := json.UnmarshalStrict(data, &job)
		if err = errors.Join(append(wrong, err)...); err != nil {
			fail(path + ": " + err.Error())
		}
		if err := check(&job); err != "" {
			fail(path + ": " + err)
		}
		fmt.Printf("%s: a %s of %s with %d indexes\n", path, job.Kind, job.APIVersion, *job.Spec.Completions)
	}
}

// What must hold so that each index runs its share, once.
func check(job *batch.Job) string {
	spec := job.Spec
	switch {
	case job.APIVersion != "batch/v1" || job.Kind != "Job":
		return "expected a Job of batch/v1, found " + job.Kind + " of " + job.APIVersion
	case spec.CompletionMode == nil || *spec.CompletionMode != batch.IndexedCompletion:
		return "spec.completionMode: expected Indexed"
	case spec.Completions == nil || *spec.Completions < 1:
		return "spec.completions: expected at least 1"
	case spec.Template.Spec.RestartPolicy != "OnFailure" && spec.Template.Spec.RestartPolicy != "Never":
		return "spec.template.spec.restartPolicy: expected OnFailure or Never"
	}
	for _, container := range spec.Template.Spec.Containers {
		for at, arg := range container.Args {
			if arg != "--shards" {
				continue
			}
			if at+1 < len(container.Args) && container.Args[at+1] == strconv.Itoa(int(*spec.Completions)) {
				return ""
			}
			return "--shards: expected the number of spec.completions"
		}
	}
	return "args: expected --shards with the number of spec.completions"
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
