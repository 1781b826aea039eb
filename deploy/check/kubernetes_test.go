// Package check runs the commands of docs/deploy.md, and tests the manifests in deploy/kubernetes without
// a cluster: it builds them, decodes every object strictly into the types of Kubernetes, and runs
// fdbelect with the arguments and the environment that they give it.
package check

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const manifests = "../kubernetes"

// build builds a folder of deploy/kubernetes, and returns its objects by kind and name, without the
// hash that kustomize appends to the names of ConfigMaps.
func build(t *testing.T, folder string) map[string]any {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(manifests, folder))
	require.NoError(t, err)
	objects := make(map[string]any)
	for _, one := range built.Resources() {
		text, err := one.AsYAML()
		require.NoError(t, err)
		var object any
		switch kind := one.GetApiVersion() + " " + one.GetKind(); kind {
		case "apps/v1 Deployment":
			object = new(appsv1.Deployment)
		case "policy/v1 PodDisruptionBudget":
			object = new(policyv1.PodDisruptionBudget)
		case "rbac.authorization.k8s.io/v1 Role":
			object = new(rbacv1.Role)
		case "rbac.authorization.k8s.io/v1 RoleBinding":
			object = new(rbacv1.RoleBinding)
		case "v1 ConfigMap":
			object = new(corev1.ConfigMap)
		case "v1 Service":
			object = new(corev1.Service)
		case "v1 ServiceAccount":
			object = new(corev1.ServiceAccount)
		default:
			require.Fail(t, "an object of a kind that this test does not know", kind)
		}
		require.NoError(t, yaml.UnmarshalStrict(text, object), "%s", text)
		name := one.GetName()
		if one.GetKind() == "ConfigMap" {
			name = name[:strings.LastIndex(name, "-")]
		}
		objects[one.GetKind()+" "+name] = object
	}
	return objects
}

// object returns an object, and fails the test if there is none.
func object[T any](t *testing.T, objects map[string]any, name string) *T {
	t.Helper()
	one, ok := objects[name].(*T)
	require.True(t, ok, "%s", name)
	return one
}

// environment returns the environment of a container by name, with the name of the pod.
func environment(t *testing.T, c *corev1.Container) map[string]string {
	t.Helper()
	env := make(map[string]string)
	for _, one := range c.Env {
		require.NotContains(t, env, one.Name)
		env[one.Name] = one.Value
		if one.ValueFrom != nil {
			require.Equal(t, "metadata.name", one.ValueFrom.FieldRef.FieldPath, one.Name)
			env[one.Name] = "worker-5d9c-x7k2p"
		}
	}
	return env
}

func TestPods(t *testing.T) {
	for folder, deployments := range map[string][]string{"base": {"worker"}, "example": {"worker", "leader-label"}} {
		objects := build(t, folder)
		for _, name := range deployments {
			t.Run(folder+" "+name, func(t *testing.T) {
				d := object[appsv1.Deployment](t, objects, "Deployment "+name)
				pod := &d.Spec.Template.Spec
				require.Equal(t, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels)
				require.Contains(t, objects, "ServiceAccount "+pod.ServiceAccountName)
				require.Equal(t, name == "leader-label", *pod.AutomountServiceAccountToken, "only the label needs the API server")
				requireRestricted(t, pod)
				requireWritableClusterFile(t, objects, pod)
				requireTimes(t, pod)
			})
		}
	}
}

// requireRestricted checks the rules of the Pod Security Standard "restricted".
func requireRestricted(t *testing.T, pod *corev1.PodSpec) {
	t.Helper()
	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	require.NotZero(t, *pod.SecurityContext.RunAsUser)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
	require.False(t, pod.HostNetwork || pod.HostPID || pod.HostIPC)
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
		require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
		require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
		require.Empty(t, c.SecurityContext.Capabilities.Add)
	}
	for _, v := range pod.Volumes {
		require.Nil(t, v.HostPath)
	}
}

// requireWritableClusterFile checks that the store is a file in an emptyDir, to which an init container
// copies the cluster file of the ConfigMap.
func requireWritableClusterFile(t *testing.T, objects map[string]any, pod *corev1.PodSpec) {
	t.Helper()
	volumes := make(map[string]corev1.Volume)
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
	}
	// mounted returns the volume of a file in a container.
	mounted := func(c *corev1.Container, file string) (corev1.Volume, bool) {
		for _, m := range c.VolumeMounts {
			if m.MountPath == filepath.Dir(file) {
				return volumes[m.Name], m.ReadOnly
			}
		}
		require.Fail(t, "no volume has the file", file)
		return corev1.Volume{}, false
	}
	cp, main := &pod.InitContainers[0], &pod.Containers[0]
	require.Len(t, cp.Command, 3)
	from, to := cp.Command[1], cp.Command[2]
	require.Equal(t, "fdb:"+to, environment(t, main)["FDBELECT_STORE"])
	require.NotNil(t, pod.SecurityContext.FSGroup, "the user may write the volume")
	for _, c := range []*corev1.Container{cp, main} {
		volume, readOnly := mounted(c, to)
		require.NotNil(t, volume.EmptyDir)
		require.False(t, readOnly)
	}
	source, _ := mounted(cp, from)
	name := source.ConfigMap.Name
	name = name[:strings.LastIndex(name, "-")] // the hash
	require.Regexp(t, `^\w+:\w+@\S+:\d+\n$`, object[corev1.ConfigMap](t, objects, "ConfigMap "+name).Data[filepath.Base(from)])
}

// requireTimes checks that a pod has the time to stop in order, and that an outage of the store restarts
// no leader whose command stops in time.
func requireTimes(t *testing.T, pod *corev1.PodSpec) {
	t.Helper()
	c := &pod.Containers[0]
	preStop := duration(t, environment(t, c)["FDBELECT_PRE_STOP"])
	require.Nil(t, c.Lifecycle, "a hook would take some of the time")
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	require.GreaterOrEqual(t, grace, preStop+defaultOf(t, "timeout")+5*time.Second)
	live := c.LivenessProbe
	require.Greater(t, time.Duration(live.PeriodSeconds*live.FailureThreshold)*time.Second, defaultOf(t, "lease")+preStop)
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

// defaultOf returns the default of a flag of run, as its help prints it.
func defaultOf(t *testing.T, flag string) time.Duration {
	t.Helper()
	help, err := exec.Command(fdbelect(t), "run", "--help").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(help)) {
		if strings.HasPrefix(strings.TrimSpace(line), "--"+flag+" duration") {
			_, rest, found := strings.Cut(line, "(default ")
			require.True(t, found, line)
			return duration(t, strings.TrimRight(rest, ")\n"))
		}
	}
	require.Fail(t, "run has no such flag", flag)
	return 0
}

// fdbelect returns the command of this tree.
func fdbelect(t *testing.T) string {
	t.Helper()
	if program == "" {
		folder, err := os.MkdirTemp("", "fdbelect")
		require.NoError(t, err)
		root, err := filepath.Abs("../..")
		require.NoError(t, err)
		cmd := exec.Command("go", "build", "-o", folder, "./cmd/fdbelect")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"))
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)
		program = filepath.Join(folder, "fdbelect")
	}
	return program
}

var program string // built once, by fdbelect

func TestMain(m *testing.M) {
	code := m.Run()
	if program != "" {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// start starts the container of a Deployment on this machine, with a file as its store, and with a folder
// at the head of its PATH. It returns the address of its probes.
func start(t *testing.T, d *appsv1.Deployment, store, path string, args ...string) (address string) {
	t.Helper()
	c := &d.Spec.Template.Spec.Containers[0]
	env := environment(t, c)
	env["FDBELECT_STORE"] = "file:" + store
	address = env["FDBELECT_METRICS"]
	_, want, err := net.SplitHostPort(address)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(address, "0.0.0.0:"), "the kubelet calls from outside of the pod")
	require.Equal(t, want, strconv.Itoa(int(c.Ports[0].ContainerPort)))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	env["FDBELECT_METRICS"] = free.Addr().String()
	require.NoError(t, free.Close())

	require.Equal(t, "fdbelect", c.Command[0])
	cmd := exec.Command(fdbelect(t), append(c.Command[1:len(c.Command):len(c.Command)], args...)...)
	cmd.Env = []string{"PATH=" + path + ":" + os.Getenv("PATH"), "LOG=" + store + ".calls"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var log strings.Builder
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), &log)
	})
	return env["FDBELECT_METRICS"]
}

// eventually polls until holds returns true.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 20*time.Second, 20*time.Millisecond, what)
}

// fdbelect accepts the arguments and the environment of every container, and answers at the paths of
// its probes. The label follows the leader.
func TestContainersRun(t *testing.T) {
	objects := build(t, "example")
	worker, observer := object[appsv1.Deployment](t, objects, "Deployment worker"), object[appsv1.Deployment](t, objects, "Deployment leader-label")
	folder := t.TempDir()
	store := filepath.Join(folder, "election.db")
	script := filepath.Join(folder, "label.sh")
	require.NoError(t, os.WriteFile(script, []byte(object[corev1.ConfigMap](t, objects, "ConfigMap leader-label").Data["label.sh"]), 0o600))
	// This kubectl fails once. Another pod has the label at first.
	require.NoError(t, os.WriteFile(filepath.Join(folder, "kubectl"), []byte(`#!/bin/sh
echo "$*" >> "$LOG"
if [ ! -e "$LOG.once" ]; then touch "$LOG.once"; exit 1; fi
if [ "$1" = get ]; then echo pod/worker-old; fi
`), 0o700))

	args := worker.Spec.Template.Spec.Containers[0].Args
	require.Equal(t, []string{"--", "/app/charge", "--all"}, args)
	addresses := map[*appsv1.Deployment]string{worker: start(t, worker, store, folder, "--", "sleep", "1000")}
	args = observer.Spec.Template.Spec.Containers[0].Args
	require.Equal(t, []string{"--", "sh", "/etc/leader-label/label.sh"}, args)
	addresses[observer] = start(t, observer, store, folder, "--", "sh", script)

	for d, address := range addresses {
		c := &d.Spec.Template.Spec.Containers[0]
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
			require.Equal(t, c.Ports[0].Name, probe.HTTPGet.Port.StrVal)
			eventually(t, d.Name+" answers 200 at "+probe.HTTPGet.Path, func() bool {
				answer, err := http.Get("http://" + address + probe.HTTPGet.Path)
				if err != nil {
					return false
				}
				_ = answer.Body.Close()
				return answer.StatusCode == http.StatusOK
			})
		}
	}
	const get, remove, add = "get pods --selector app=worker,role=leader --output name\n", "label pod/worker-old role-\n",
		"label --overwrite pod/worker-5d9c-x7k2p role=leader\n"
	eventually(t, "the label moves to the leader", func() bool {
		calls, _ := os.ReadFile(store + ".calls") // it does not exist yet
		return strings.HasSuffix(string(calls), get+remove+add)
	})
	service := object[corev1.Service](t, objects, "Service worker-leader")
	labels := worker.Spec.Template.Labels
	require.Equal(t, map[string]string{"app": labels["app"], "role": "leader"}, service.Spec.Selector)
	role := object[rbacv1.Role](t, objects, "Role leader-label")
	require.Equal(t, []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "patch"}}}, role.Rules)
	binding := object[rbacv1.RoleBinding](t, objects, "RoleBinding leader-label")
	require.Equal(t, observer.Spec.Template.Spec.ServiceAccountName, binding.Subjects[0].Name)
	budget := object[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget worker")
	require.Equal(t, worker.Spec.Selector, budget.Spec.Selector)
	require.Less(t, budget.Spec.MinAvailable.IntVal, *worker.Spec.Replicas)
}
