# covers: main context git query
# opt: dockerfilekey=dockerfile
# opt: context=git@github.com:example/repo.git?branch=main&subdir=x&submodules=false&mtime=commit
# opt: build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR=1
# opt: build-arg:SOURCE_DATE_EPOCH=5
FROM scratch
COPY . /
