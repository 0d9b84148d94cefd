# An archive at a URL: any layer of the registry that the recording needs anyway.
# covers: main context archive
# opt: dockerfilekey=dockerfile
# opt: context=http://localhost:5000/v2/base/blobs/sha256:74b1ed6f0ef76cedf5c9ae8b187decc8441cd1916a53cffab13dd8ecaba5d196
FROM scratch
COPY a /b
