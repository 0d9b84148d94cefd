// Writes passthrough.pb: a graph made with BuildKit's Go client (August 2026), of what v0.29 did not have. Run it as a
// command below that module's cmd/: go run ./cmd/graph >passthrough.pb
package main

import (
	"context"
	"os"

	"github.com/moby/buildkit/client/llb"
)

func main() {
	file := func(path string, opts ...llb.ConstraintsOpt) llb.State {
		return llb.Scratch().File(llb.Mkfile(path, 0o644, []byte(path)), opts...)
	}
	a := file("/a", llb.WithLinuxResources(llb.LinuxResources{
		Memory: 1 << 20, MemorySwap: -1, CPUShares: 2, CPUPeriod: 100000, CPUQuota: 50000, CpusetCpus: "0-1", CpusetMems: "0",
	}))
	pair := llb.NewPassthroughOp("pair", []llb.PassthroughInput{
		{State: a, Output: true}, {State: file("/dropped")}, {State: file("/b"), Output: true},
	})
	both := llb.Merge([]llb.State{llb.NewState(pair.OutputAt(1)), llb.NewState(pair.OutputAt(0))})
	def, err := both.Requires("checked", file("/check")).Marshal(context.TODO(), llb.LinuxArm64)
	if err != nil {
		panic(err)
	}
	if err := llb.WriteTo(def, os.Stdout); err != nil {
		panic(err)
	}
}
