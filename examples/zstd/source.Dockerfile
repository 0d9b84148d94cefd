# The sources of zstd as Debian has them.
FROM debian AS fetch
RUN apt-get update && apt-get install -y --no-install-recommends dpkg-dev
WORKDIR /source
RUN <<EOF
set -e
if [ -f /etc/apt/sources.list ]; then
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > /etc/apt/sources.list.d/src.list
fi
for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ]; then sed -i 's/^Types: deb$/Types: deb deb-src/' "$file"; fi
done
apt-get update
apt-get source --only-source libzstd
mv libzstd-*/ zstd
EOF

FROM scratch
COPY --from=fetch /source/zstd /
