// Writes go-client.pb: a graph made with BuildKit's Go client (v0.29). Run it as a command below that module's cmd/:
// go run ./cmd/graph >go-client.pb
package main

import (
	"context"
	"os"

	"github.com/moby/buildkit/client/llb"
)

func main() {
	src := llb.Local("context", llb.IncludePatterns([]string{"*.txt"}), llb.SharedKeyHint("x"))
	made := llb.Scratch().
		File(llb.Mkdir("/made", 0o755).Mkfile("/made/file", 0o600, []byte("from go\n"))).
		File(llb.Symlink("made/file", "/link"))
	copied := llb.Scratch().File(llb.Copy(src, "/*.txt", "/copied/", &llb.CopyInfo{AllowWildcard: true, CreateDestPath: true}))
	both := llb.Merge([]llb.State{made, copied})
	out := both.File(llb.Rm("/copied/b.txt"))
	def, err := out.Marshal(context.TODO(), llb.LinuxArm64)
	if err != nil {
		panic(err)
	}
	if err := llb.WriteTo(def, os.Stdout); err != nil {
		panic(err)
	}
}
