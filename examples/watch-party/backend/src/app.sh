# The watch party's backend: who watches what, and which version says so.

VERSION=1.0.0

version() {
  printf '{"service":"backend","version":"%s"}\n' "$VERSION"
}

rooms() {
  printf '{"rooms":[{"name":"friday-movie","viewers":3},{"name":"cartoons","viewers":2}]}\n'
}
