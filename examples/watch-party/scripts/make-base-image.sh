#!/usr/bin/env bash
# Makes the base image of both services from Debian's static busybox, without any image registry.
# The same busybox gives the same image id. usage: make-base-image.sh [--force]
#   IMAGE    name of the image (watchparty-base:latest)
#   BUSYBOX  the static busybox to use (the one on PATH)
set -euo pipefail

IMAGE=${IMAGE:-watchparty-base:latest}
BUSYBOX=${BUSYBOX:-$(command -v busybox || true)}

if [ "${1:-}" != --force ] && docker image inspect "$IMAGE" >/dev/null 2>&1; then
  echo "INFO: $IMAGE is there already"
  exit 0
fi
if [ -z "$BUSYBOX" ] || ldd "$BUSYBOX" >/dev/null 2>&1; then
  echo "ERROR: no static busybox found; try: apt-get install busybox-static" >&2
  exit 1
fi
case $(uname -m) in
  x86_64) arch=amd64 ;;
  aarch64) arch=arm64 ;;
  *) arch=$(uname -m) ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

# Owners, times and order are fixed: nothing but the content may decide the image id.
pack() { tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar -C "$1" -cf "$2" .; }

root=$work/root
mkdir -p "$root"/{bin,etc,home,root,srv,tmp,usr/local/bin,var}
chmod 1777 "$root/tmp"
install -m 755 "$BUSYBOX" "$root/bin/busybox"
for applet in $("$BUSYBOX" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
echo 'root:x:0:' > "$root/etc/group"

image=$work/image
mkdir -p "$image"
pack "$root" "$image/layer.tar"
diff_id=$(sha256sum "$image/layer.tar" | cut -d' ' -f1)
cat > "$image/config.json" <<JSON
{"architecture":"$arch","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Env":["PATH=/usr/local/bin:/bin"],"Cmd":["sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:$diff_id"]},"history":[{"created":"1970-01-01T00:00:00Z","created_by":"static busybox"}]}
JSON
cat > "$image/manifest.json" <<JSON
[{"Config":"config.json","RepoTags":["$IMAGE"],"Layers":["layer.tar"]}]
JSON
pack "$image" "$work/image.tar"
docker load --quiet --input "$work/image.tar"
